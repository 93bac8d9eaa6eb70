"""The buttons that start, stop and go on with work, and what happens then.

The first photos make a batch, to which more are added. Batches take turns. A click on Enhance draws
a ticket for the batch. Each ticket queues for the model, then photos are enhanced until the batch
is finished or another batch is waiting; in that case a new ticket is drawn. So nobody waits for the
whole of someone else's batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.options import Options
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, language_of, text, toast, translated
from enhance.web.page.brush import remarked
from enhance.web.page.intake import TAKE_KEY, Intake
from enhance.web.page.labels import STEPS, switch, switch_all
from enhance.web.page.look import Tab, tab_of
from enhance.web.page.presets import PRESETS, preset_for
from enhance.web.page.results_panel import LAYERS, ResultsPanel
from enhance.web.page.settings_panel import SettingsPanel
from enhance.web.page.status import progress
from enhance.web.page.widgets import PRIVATE, QUICK, Shown, browser_state, sent_by

MODEL_QUEUE = "model"
"""Concurrency id of all turns at the model; as many run at once as the engine has models."""

_TICK = 2  # seconds between two polls of the queue while a batch waits in it
# Seconds between two updates of the page, at least, except for the last one of a turn: each costs
# as much as there are photos in the batch.
_PAUSE = 0.25
_STARTS = 4  # drops that are taken in at once, which reads the headers of the photos; also starts
# On a phone the results are below the photos, so scroll down to them.
_TO_RESULTS = """(...values) => {
  const status = document.querySelector('#status');
  if (status.getBoundingClientRect().top > innerHeight * 0.8) status.scrollIntoView();
  return values;
}"""


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
        self.handed = gr.Textbox(visible=False)  # the key, in the page's address, of other photos
        self.ticket = gr.State(0)
        self.clock = gr.Timer(_TICK, active=False)
        self.last_key = browser_state("batch", "")

    def connect(
        self,
        page: gr.Blocks,
        files: gr.File,
        samples: dict[gr.Button, Path],
        choices: SettingsPanel,
        results: ResultsPanel,
    ) -> None:
        """Wire the handlers. Photos come from `files` and `samples`, options from `choices`;
        `results` shows what becomes of them."""
        self.settings, self.results = choices.settings, results
        controls = [self.ticket, self.clock, self.enhance, self.stop, self.reopen]
        self._beside = [self.results.again, self.results.try_all]
        everything = [*controls, *self._beside, self.results.status, *self.results.widgets]
        page.load(self._offer, self.last_key, self.reopen, **QUICK)
        # Queued, because changing a State outside the queue does not fire its change event.
        starts: dict[str, Any] = PRIVATE | {
            "show_progress": "hidden",
            "concurrency_limit": _STARTS,
            "preprocess": False,
            "postprocess": False,
            "js": _TO_RESULTS,
        }
        # What is dropped or taken out while the last such event is under way must not be lost.
        several = starts | {"js": None, "trigger_mode": "multiple"}
        # So that the next ones come alone.
        emptied = {"fn": None, "outputs": files, "js": "() => null"} | QUICK
        intake = Intake(self._batches, self.key, self._shown)
        choices.restored.then(
            intake.handed,
            [self.key, self.handed],
            [self.key, *everything],
            **several | {"js": TAKE_KEY},
        ).then(**choices.changed)
        given: list[tuple[Callable[..., Any], Any, list[Any]]] = [
            (files.upload, intake.add, [self.key, files]),
            *((button.click, intake.sample(path), [self.key]) for button, path in samples.items()),
        ]
        for event, add, inputs in given:
            added = event(add, inputs, [self.key, *everything], **several)
            added.then(**emptied).then(**choices.changed)
            added.failure(**emptied)
        one_at_a_time = several | {"concurrency_limit": 1}
        removed = results.gallery.delete(intake.remove, self.key, everything, **one_at_a_time)
        removed.then(**choices.changed)
        wanted = [self.key, self.ticket, *self.settings.widgets]
        self.enhance.click(self._begin, wanted, [self.last_key, *everything], **starts)
        self.results.again.click(self._again, wanted, everything, **starts)
        self.results.try_all.click(self._try_all, wanted, everything, **starts)
        self.results.viewer.submit(
            self._repair, [self.key, self.ticket], everything, **starts | {"js": None}
        )
        labeled = starts | LAYERS | {"js": None, "trigger_mode": "multiple"}
        self.results.viewer.apply(self._switch, [self.key, self.ticket], everything, **labeled)
        self.reopen.click(
            self._reopen, self.last_key, [self.key, *everything], postprocess=False, **QUICK
        ).then(**choices.changed)
        turn = self.ticket.change(
            self._turn,
            [self.key, self.ticket],
            everything,
            postprocess=False,  # values are prepared here once, not again for every photo
            concurrency_id=MODEL_QUEUE,
            concurrency_limit=self._batches.engine.replicas,
            show_progress="hidden",
            **PRIVATE,
        )
        turn.then(**choices.changed)
        # Refused, or an error.
        turn.failure(self._give_up, self.key, everything, postprocess=False, **QUICK)
        self.clock.tick(self._wait, self.key, self.results.status, postprocess=False, **QUICK)
        self.stop.click(self._stop, self.key, everything, postprocess=False, **QUICK)

    def _begin(self, request: gr.Request, key: str, ticket: int, *values: Any) -> Shown:
        """Draw a ticket for the photos that are due."""
        tab = tab_of(self._batches, key, request)
        options = self._options(tab.language, values)
        shown = self._work_on(tab, tab.batch.due, [options], ticket, request)
        return {self.last_key: key, **shown}

    def _again(self, request: gr.Request, key: str, ticket: int, *values: Any) -> Shown:
        """Draw a ticket to enhance the selected photo again with other options."""
        tab = tab_of(self._batches, key, request)
        options = [self._options(tab.language, values)]
        return self._work_on(tab, [tab.entry], options, ticket, request)

    def _repair(self, request: gr.Request, key: str, ticket: int, event: gr.EventData) -> Shown:
        """Draw a ticket to repair the selected photo again, as `remarked` says."""
        tab = tab_of(self._batches, key, request)
        tab.go_to(sent_by(event).get("index"))
        entry, version = tab.entry, tab.version
        if version is None or version.marks is None:
            return {self.ticket: ticket}
        if tab.batch.remaining:
            raise toast("Wait until all photos of the batch are done.", tab.language)
        try:
            options = remarked(entry, version, sent_by(event))
        except EnhanceError as error:
            raise toast(error.sentence, tab.language) from error
        return self._work_on(tab, [entry], [options], ticket, request)

    def _switch(self, request: gr.Request, key: str, ticket: int, event: gr.EventData) -> Shown:
        """Switch a label of the photo that was shown, or of all; if need be, draw a ticket."""
        tab, sent = tab_of(self._batches, key, request), sent_by(event)
        tab.go_to(sent.get("index"))
        step, on, limits = sent.get("step"), bool(sent.get("on")), self._batches.limits
        if step not in STEPS:
            return {self.ticket: ticket}
        try:
            if sent.get("all"):
                waits = switch_all(tab, step, on, limits)
            else:
                waits = switch(tab, [tab.index], step, on, limits)
        except EnhanceError as error:
            raise toast(error.sentence, tab.language) from error
        return self._drawn(tab, ticket, request) if waits else self._shown(tab)

    def _try_all(self, request: gr.Request, key: str, ticket: int, *values: Any) -> Shown:
        """Draw a ticket to enhance the selected photo with every preset, and with the current
        settings if they match none."""
        tab = tab_of(self._batches, key, request)
        current = self._options(tab.language, values)
        wanted = dict.fromkeys([*(preset_for(name, current) for name in PRESETS), current])
        tried = {version.options for version in tab.entry.versions}
        options = [each for each in wanted if each not in tried]
        return self._work_on(tab, [tab.entry], options, ticket, request)

    def _work_on(
        self,
        tab: Tab,
        entries: list[Entry],
        options: list[Options],
        ticket: int,
        request: gr.Request,
    ) -> Shown:
        if not (entries and options) or tab.batch.remaining:
            return {self.ticket: ticket}
        tab.forget(entries)
        tab.batch.begin(entries, *options)
        return self._drawn(tab, ticket, request)

    def _drawn(self, tab: Tab, ticket: int, request: gr.Request) -> Shown:
        """Draw a ticket for work that has been given to the batch."""
        self._batches.waiting_list.join(tab.batch.key)
        tab.batch.session = str(request.session_hash)  # if this page is closed, the work ends
        return {self.ticket: ticket + 1, **self._shown(tab)}

    def _turn(self, request: gr.Request, key: str, ticket: int) -> Iterator[Shown]:
        """Enhance photos of a batch, showing each as soon as it is done, until others wait."""
        tab = tab_of(self._batches, key, request)
        batch, queue = tab.batch, self._batches.waiting_list
        with queue.turn(key):
            yield self._shown(tab)
            due = 0.0
            for _ in batch.records():
                if not batch.remaining:
                    continue  # the last photo is shown at the end
                if queue.someone_waits:
                    break
                if time.monotonic() >= due:
                    yield self._shown(tab)
                    due = time.monotonic() + _PAUSE
            if again := bool(batch.remaining):
                queue.join(key)
        yield self._shown(tab) | ({self.ticket: ticket + 1} if again else {})

    def _give_up(self, request: gr.Request, key: str) -> Shown:
        """End a batch that gets no further turn: keep its results, offer to continue."""
        tab = tab_of(self._batches, key, request)
        self._batches.waiting_list.leave(key)
        tab.batch.abandon()
        return self._shown(tab)

    def _stop(self, request: gr.Request, key: str) -> Shown:
        """Stop at once, or before the next tile if a photo is being processed."""
        if not self._batches.waiting_list.served(key):
            return self._give_up(request, key)
        tab = tab_of(self._batches, key, request)
        tab.batch.stop()
        said = say("Stopping …")
        return {self.results.status: progress(tab.batch, self._batches, tab.language, said)}

    def _wait(self, request: gr.Request, key: str) -> Any:
        """Update the status with how many are ahead, while the batch waits in the queue."""
        batch = self._batches.get(key)
        if batch is None or not self._batches.waiting_list.seen(key):
            return gr.skip()
        return progress(batch, self._batches, language_of(request))

    def _offer(self, key: str | None) -> Any:
        """Show the button for this browser's last batch if that can still be opened."""
        batch = self._batches.get(key or "")
        return gr.update(visible=bool(batch and batch.finished))

    def _reopen(self, request: gr.Request, key: str) -> Shown:
        """Show this browser's last batch; if it was stopped, it can be continued."""
        return {self.key: key, **self._shown(tab_of(self._batches, key, request))}

    def _shown(self, tab: Tab) -> Shown:
        """Everything that the page shows of a batch: what a turn sends, and all else that changes
        the batch's state."""
        batch = tab.batch
        if not batch.entries:
            return {self.results.gallery: []}
        working = bool(batch.remaining)
        done = all(entry.state in ("done", "failed") for entry in batch.entries)
        waiting = self._batches.waiting_list.ahead(batch.key) is not None
        again = gr.update(visible=bool(batch.finished) and not working)
        return {
            self.results.status: progress(batch, self._batches, tab.language),
            **self.results.shown(tab),
            **dict.fromkeys(self._beside, again),
            self.enhance: gr.update(
                visible=not working,
                value=translated(text("Enhance again") if done else text("Enhance"), tab.language),
                variant="secondary" if done else "primary",
            ),
            self.stop: gr.update(visible=working),
            self.reopen: gr.update(visible=False),
            self.clock: gr.update(active=waiting),
        }

    def _options(self, language: Language, values: tuple[Any, ...]) -> Options:
        try:
            return self.settings.options(*values)
        except EnhanceError as error:
            raise toast(error.sentence, language) from error
