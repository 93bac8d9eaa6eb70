"""The buttons that start, stop and go on with work, and what happens then.

The first photos make a batch, to which more are added. Batches take turns. A click on Enhance gives
the batch its work and draws a ticket for it. Each ticket queues for the model, then photos are
enhanced until the batch is finished or another batch is waiting; in that case a new ticket is
drawn. So nobody waits for the whole of someone else's batch.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from enhance.i18n import say
from enhance.options import Options
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore
from enhance.web.language import language_of, text, toast, translated
from enhance.web.page.brush import remarked
from enhance.web.page.labels import STEPS, switch
from enhance.web.page.look import Tab
from enhance.web.page.presets import PRESETS
from enhance.web.page.results_panel import ResultsPanel
from enhance.web.page.settings import options_from
from enhance.web.page.settings_panel import SettingsPanel
from enhance.web.page.status import progress
from enhance.web.page.widgets import (
    CHANGES,
    LAYERS,
    PREPARED,
    QUICK,
    Shown,
    browser_state,
    handler,
    scroll_to,
)

MODEL_QUEUE = "model"
"""Concurrency id of all turns at the model; as many run at once as the engine has models."""

_TICK = 2  # seconds between two updates of the status
# Seconds between two updates of the page, at least, except for the last one of a turn: each costs
# as much as there are photos in the batch.
_PAUSE = 0.25


class Actions:
    """The row of buttons and its handlers."""

    def __init__(self, batches: BatchStore) -> None:
        """Draw into the current column."""
        self._batches = batches
        with gr.Row(elem_id="actions"):
            self.enhance = gr.Button(text("Enhance"), variant="primary", elem_id="enhance")
            self.stop = gr.Button(text("Stop"), variant="stop", visible=False, elem_id="stop")
            self.estimate = gr.Markdown(elem_id="estimate")
        self.reopen = gr.Button(text("Show my last batch"), visible=False, elem_id="reopen")
        # Kept in the browser, because Gradio discards the State of a page that is silent for long.
        self.key = gr.Textbox(visible=False)
        self.ticket = gr.State()
        self.clock = gr.Timer(_TICK, active=False)
        self.last_key = browser_state("batch", "")

    def connect(self, page: gr.Blocks, choices: SettingsPanel, results: ResultsPanel) -> None:
        """Wire the handlers. Options come from `choices`; `results` shows what becomes of the
        photos. `widgets` are all that `shown` may change, and the ticket."""
        self.results = results
        self._beside = [results.again, results.try_all]
        controls = [self.ticket, self.clock, self.enhance, self.stop, self.reopen]
        self.widgets = [*controls, *self._beside, results.status, *results.widgets]

        def wire(event: Any, act: Callable[..., Any], inputs: Any, *more: Any, **how: Any) -> Any:
            answer = handler(self._batches, act, self.shown)
            return event(answer, inputs, [*more, *self.widgets], **PREPARED | how)

        # Queued, because changing a State outside the queue does not fire its change event.
        starts = CHANGES | {"js": scroll_to("#status", 0.8)}
        wanted = [self.key, *choices.options.values()]
        wire(self.enhance.click, self._begin, wanted, **starts)
        wire(results.again.click, self._again, wanted, **starts)
        wire(results.try_all.click, self._try_all, wanted, **starts)
        wire(results.viewer.submit, self._repair, self.key, **CHANGES)
        wire(results.viewer.apply, self._switch, self.key, **LAYERS)
        turn = self.ticket.change(
            self._turn,
            self.key,
            self.widgets,
            concurrency_id=MODEL_QUEUE,
            concurrency_limit=self._batches.engine.replicas,
            **PREPARED,
        )
        turn.then(**choices.changed)
        # Refused, or an error.
        wire(turn.failure, self._give_up, self.key, queue=False)
        self.stop.click(self._stop, self.key, self.widgets, **PREPARED, queue=False)
        self.clock.tick(self._wait, self.key, results.status, **PREPARED, queue=False)

        page.load(self._offer, self.last_key, self.reopen, **QUICK)
        reopened = wire(self.reopen.click, self._reopen, self.last_key, self.key, queue=False)
        reopened.then(**choices.changed)

    def _begin(self, tab: Tab, sent: object, *values: Any) -> Shown:
        """Work on the photos that are due."""
        options = options_from(values)
        return self._work_on(tab, tab.batch.due, options)

    def _again(self, tab: Tab, sent: object, *values: Any) -> Shown:
        """Enhance the selected photo again with other options."""
        options = options_from(values)
        return self._work_on(tab, [tab.entry], options)

    def _try_all(self, tab: Tab, sent: object, *values: Any) -> Shown:
        """Enhance the selected photo with every preset, and with the current settings if they match
        none."""
        current = options_from(values)
        presets = (replace(preset, name=current.name) for preset in PRESETS.values())
        tried = {version.options for version in tab.entry.versions}
        wanted = [each for each in dict.fromkeys([*presets, current]) if each not in tried]
        chosen = tab.sides[1]
        shown = self._work_on(tab, [tab.entry], *wanted)
        if shown and chosen is not None:
            tab.compare(None, chosen)  # until another is picked
        return shown

    def _repair(self, tab: Tab, sent: dict[str, Any]) -> Shown:
        """Repair the selected photo again, as `remarked` says."""
        tab.go_to(sent.get("index"))
        version = tab.version
        if version is None or version.marks is None:
            return {}
        if tab.batch.remaining:
            raise toast("Wait until all photos of the batch are done.", tab.language)
        return self._work_on(tab, [tab.entry], remarked(tab.entry, version, sent))

    def _switch(self, tab: Tab, sent: dict[str, Any]) -> Shown:
        """Switch a label of the photo that was shown, or of all."""
        tab.go_to(sent.get("index"))
        step, on, everywhere = (sent.get(name) for name in ("step", "on", "all"))
        if step not in STEPS:
            return {}
        waits = switch(tab, step, bool(on), everywhere=bool(everywhere))
        return self._ticket(tab) if waits else {}

    def _work_on(self, tab: Tab, entries: list[Entry], *options: Options) -> Shown:
        """Give work to the batch, unless it has some or there is none."""
        if not (entries and options) or tab.batch.remaining:
            return {}
        tab.forget(entries)
        tab.batch.begin(entries, *options)
        return self._ticket(tab)

    def _ticket(self, tab: Tab) -> Shown:
        """Draw a ticket for a batch that has work: the page asks for its turn."""
        self._batches.waiting_list.join(tab.batch.key)
        tab.batch.session = tab.session  # if this page is closed, the work ends
        return {self.ticket: time.monotonic_ns()}

    def _turn(self, request: gr.Request, key: str) -> Iterator[Shown]:
        """Enhance photos of a batch, showing each as soon as it is done, until others wait."""
        tab = Tab.of(self._batches, key, request)
        batch, queue = tab.batch, self._batches.waiting_list
        with queue.turn(key):
            yield self.shown(tab)
            due = 0.0
            for _ in batch.records():
                if not batch.remaining:
                    continue  # the last photo is shown at the end
                if queue.waiting:
                    break
                if time.monotonic() >= due:
                    yield self.shown(tab)
                    due = time.monotonic() + _PAUSE
            ticket = self._ticket(tab) if batch.remaining else {}
        yield self.shown(tab) | ticket

    def _give_up(self, tab: Tab, sent: object = None) -> None:
        """End a batch that gets no further turn: keep its results, offer to continue."""
        self._batches.waiting_list.leave(tab.batch.key)
        tab.batch.abandon()

    def _stop(self, request: gr.Request, key: str) -> Shown:
        """Stop at once, or before the next tile if a photo is being processed."""
        tab = Tab.of(self._batches, key, request)
        if not self._batches.waiting_list.served(key):
            self._give_up(tab)
            return self.shown(tab)
        tab.batch.stop()  # what follows is shown by the turn
        said = say("Stopping …")
        status = progress(tab.batch, self._batches, tab.language, said)
        return {self.results.status: status, self.clock: gr.update(active=False)}

    def _wait(self, request: gr.Request, key: str) -> Any:
        """Update the status: how many are ahead in the queue, or the time that is left."""
        batch = self._batches.get(key)
        if batch is None or not (self._batches.waiting_list.seen(key) or batch.remaining):
            return gr.skip()
        return progress(batch, self._batches, language_of(request))

    def _offer(self, key: str | None) -> Any:
        """Show the button for this browser's last batch if that can still be opened."""
        batch = self._batches.get(key or "")
        return gr.update(visible=bool(batch and batch.entries))

    def _reopen(self, tab: Tab, sent: object) -> Shown:
        """Show this browser's last batch; if it was stopped, it can be continued."""
        return {self.key: tab.batch.key}

    def shown(self, tab: Tab) -> Shown:
        """Everything that the page shows of a batch: what a turn sends, and all else that changes
        the batch's state."""
        batch = tab.batch
        if not batch.entries:
            return {self.results.gallery: []}
        working = bool(batch.remaining)
        done = all(entry.state in ("done", "failed") for entry in batch.entries)
        again = gr.update(visible=bool(batch.finished) and not working)
        return {
            **self.results.shown(tab),
            self.results.status: progress(batch, self._batches, tab.language),
            **dict.fromkeys(self._beside, again),
            self.enhance: gr.update(
                visible=not working,
                value=translated(text("Enhance again") if done else text("Enhance"), tab.language),
                variant="secondary" if done else "primary",
            ),
            self.stop: gr.update(visible=working),
            self.reopen: gr.update(visible=False),
            self.clock: gr.update(active=working),
        }
