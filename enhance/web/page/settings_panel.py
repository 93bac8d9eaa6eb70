"""The settings panel: presets with their cost, the options, and the models that they need.

The browser remembers the settings.
"""

from __future__ import annotations

import html
import json
import logging
from typing import Any

import gradio as gr
from anyio import to_thread

from enhance.errors import EnhanceError
from enhance.i18n import Sentence, say
from enhance.models.catalogue import MODELS
from enhance.models.download import fetch
from enhance.models.files import WeightFile
from enhance.models.verified import locate
from enhance.options import Options, renamed
from enhance.photos import expected_extension, result_stem
from enhance.pipeline.estimates import readable
from enhance.pipeline.model_choice import required_weights
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, language_of, text, toast, translated
from enhance.web.page.address import from_query, query_of
from enhance.web.page.presets import ABOUT, LABELS, PRESETS, preset_of
from enhance.web.page.settings import Settings
from enhance.web.page.status import seconds_left
from enhance.web.page.widgets import PRIVATE, QUICK, Shown, browser_state

log = logging.getLogger(__name__)

_PROGRESS = gr.Progress()
_TO_ADDRESS = "(query) => history.replaceState(null, '', query || location.pathname)"
_SESSIONS = 1000  # whose changes are counted
_TYPICAL = 4000, 3000  # pixels of a photo, until there is one


class SettingsPanel:
    """Widgets and their handlers; `settings.options` turns the widgets' values into options."""

    def __init__(self, batches: BatchStore, may_download: bool) -> None:
        """Draw into the current column. may_download: whether missing models can be downloaded."""
        self._may_download = may_download
        self._batches = batches
        self._estimator = batches.estimator
        self._asked: dict[str, int] = {}  # how often each session's settings have changed
        with gr.Accordion(text("Settings"), open=False, elem_id="choices"):
            self.preset = gr.Radio(
                [(f"{label}\n{ABOUT[name]}", name) for name, label in LABELS.items()],
                value="automatic",
                label=text("What to do"),
                elem_id="preset",
            )
            self.models = gr.Markdown(elem_id="models")
            self.fetch = gr.Button(text("Download"), visible=False, size="sm", elem_id="fetch")
            with gr.Accordion(
                text("Licence"), open=False, visible=False, elem_id="licence"
            ) as self.licence:
                self.terms = gr.Markdown()
            self.settings = Settings()
        self._offers = [self.models, self.fetch, self.licence, self.terms]
        # Not within, as what is folded is not drawn, and would keep nothing.
        self.remembered = browser_state("settings", None)
        self.address = gr.Textbox(visible=False)  # the query of the page's address

    def connect(self, page: gr.Blocks, key: gr.Textbox, estimate: gr.Markdown) -> None:
        """Wire the handlers. estimate: where the cost of what is due in the batch of `key` is
        shown. `changed` is the event to chain to what changes the batch, and to `restored`."""
        self._estimate = estimate
        widgets = self.settings.widgets
        self.changed = {
            "fn": self._changed,
            "inputs": [key, *widgets],
            "outputs": [
                self.preset,
                estimate,
                *self._offers,
                self.remembered,
                self.address,
                self.settings.example,
            ],
            "preprocess": False,
        } | QUICK
        self.restored = page.load(
            self._restore,
            [self.remembered, self.address],
            widgets,
            js="(remembered) => [remembered, location.search]",
            **QUICK,
        )
        self.address.change(None, self.address, None, js=_TO_ADDRESS, **QUICK)
        # In the browser, so that a click on Enhance right after it finds the preset's values.
        self.preset.input(
            None, [self.preset, *widgets], widgets, js=self._take_preset(), **QUICK
        ).then(**self.changed)
        # Only a person's input, because a preset changes many widgets, not all at the same moment.
        # A text's input event misses what is pasted or deleted, so leaving the field counts, too.
        fields = gr.Textbox | gr.Dropdown
        left = [widget.blur for widget in widgets if isinstance(widget, fields)]
        gr.on(
            [*(widget.input for widget in widgets), *left],
            trigger_mode="always_last",
            **self.changed,
        )
        self.fetch.click(
            self._fetch,
            self.settings.widgets,
            self._offers,
            concurrency_id="download",
            show_progress_on=self.models,
            **PRIVATE,
        )

    def _restore(self, request: gr.Request, remembered: object, query: object) -> list[Any]:
        """The settings in the address, or else those of the last visit, if they are valid in this
        version, and the models that are in the models folder now."""
        language = language_of(request)
        known = renamed(remembered) if isinstance(remembered, dict) else {}
        if linked := from_query(query):
            known = {"metadata": known.get("metadata")} | linked
        try:
            options = self.settings.options(*map(known.get, self.settings.names))
        except EnhanceError:
            return self.settings.updates(None, language)
        return self.settings.updates(options, language)

    def _take_preset(self) -> str:
        """A function in JavaScript from a preset's name and the widgets' values to those of the
        preset, which leaves the results' names as they are."""
        values = {name: self.settings.values(options) for name, options in PRESETS.items()}
        kept = self.settings.names.index("name")
        return (
            f"(name, ...now) => (({json.dumps(values)})[name] || now)"
            f".map((value, i) => i === {kept} ? now[i] : value)"
        )

    async def _changed(self, request: gr.Request, key: str, *values: Any) -> Shown:
        """Show the cost and the missing models of the current settings, and remember them."""
        session = str(request.session_hash)
        asked = self._asked.pop(session, 0) + 1
        self._asked[session] = asked  # as the newest one
        if len(self._asked) > _SESSIONS:
            del self._asked[next(iter(self._asked))]
        batch = self._batches.get(key)
        shown = await to_thread.run_sync(self._chosen, language_of(request), batch, values)
        # An answer that waited for the models must not replace that to a later question.
        return shown if self._asked.get(session) == asked else {self._estimate: gr.skip()}

    def _chosen(self, language: Language, batch: Batch | None, values: tuple[Any, ...]) -> Shown:
        due = batch.due if batch else []
        sizes = [entry.size for entry in due if entry.size]
        try:
            options = self.settings.options(*values)
        except EnhanceError as error:
            sentence = translated(error.sentence, language)
            return {self._estimate: sentence, self.settings.example: html.escape(sentence)}
        remembered = zip(self.settings.names, self.settings.values(options), strict=True)
        cost = translated(self._cost(batch, options), language)
        return {
            self.preset: self._presets(batch, options, language),
            self._estimate: cost,
            self.remembered: dict(remembered),
            self.address: query_of(options),
            self.settings.example: html.escape(self._example(due, sizes, options)),
            **self._missing_models(options, language),
        }

    def _cost(self, batch: Batch | None, options: Options) -> str:
        """How long the work will take beside that of others, before it is started."""
        if batch is None or not batch.due:
            return ""
        if not self._estimator.wait():
            return say("The models are still loading, but you can start right away.")
        count = len(batch.due)
        time = readable(seconds_left(batch, batch.due, options, self._batches))
        if count == 1:
            return say("1 photo: about {time}.", time=time)
        return say("{count} photos: about {time}.", count=count, time=time)

    def _presets(self, batch: Batch | None, options: Options, language: Language) -> Any:
        """The presets, each labeled with its time for these photos."""
        name = preset_of(options)
        choices = []
        for key, label in LABELS.items():
            if key == "custom" != name:
                continue  # nothing to choose, only what the presets are left for
            shown = f"{translated(label, language)}\n{translated(ABOUT[key], language)}"
            cost = "\u00a0"  # always a line, so that nothing moves
            if batch and batch.due and key in PRESETS and self._estimator.ready:
                seconds = seconds_left(batch, batch.due, PRESETS[key], self._batches)
                cost = translated(readable(seconds), language)
            choices.append((f"{shown}\n{cost}", key))
        return gr.update(choices=choices, value=name)

    def _example(self, due: list[Entry], sizes: list[tuple[int, int]], options: Options) -> str:
        """The first photo's name and that of its result."""
        photo = due[0].source.name if due else "photo.jpg"
        used = self._estimator.resolved(options)
        size = sizes[0] if sizes else _TYPICAL
        stem = result_stem(
            used.name,
            photo,
            number=1,
            upscale=round(max(used.output_size(size)) / max(size), 3),
            restorer=used.restorer,
            background=used.background,
        )
        return f"{photo} → {stem}.{expected_extension(photo, used.format)}"

    def _missing_models(self, options: Options, language: Language) -> Shown:
        """Offer the chosen models that are not on this machine; their licences are a click away."""
        missing = _missing(options)
        if not missing:
            hidden = gr.update(visible=False)
            return {self.models: "", self.fetch: hidden, self.licence: hidden}
        offers = (translated(_offer(name, options), language) for name in missing)
        terms = [
            say(
                "{name}: {licence}. {warning}",
                name=name,
                licence=MODELS[name].licence,
                warning=MODELS[name].warning,
            )
            for name in missing
        ]
        label = say(
            "Download ({megabytes:.0f} MB)",
            megabytes=sum(file.size for file in missing.values()) / 1e6,
        )
        return {
            self.models: "\n\n".join(offers),
            self.fetch: gr.update(visible=self._may_download, value=translated(label, language)),
            self.licence: gr.update(visible=True),
            self.terms: "\n\n".join(translated(term, language) for term in terms),
        }

    def _fetch(
        self,
        request: gr.Request,
        *values: Any,
        progress: gr.Progress = _PROGRESS,
    ) -> Shown:
        """Download what is missing, because someone pressed the button."""
        language = language_of(request)
        if not self._may_download:
            raise toast(
                say("Models cannot be downloaded from this page. Ask whoever runs the server."),
                language,
            )
        options = self.settings.options(*values)
        for file in _missing(options).values():
            shown = -1

            def show(done: int, size: int, file: WeightFile = file) -> None:
                nonlocal shown
                if (percent := 100 * done // size) != shown:
                    shown = percent
                    progress(done / size, desc=file.filename)

            try:
                fetch(file, show)
            except EnhanceError as error:
                log.error("%s", error)  # with the folder, which is not the visitor's business
                reason = say(
                    "{file} could not be downloaded. The server's log says why.", file=file.filename
                )
                raise toast(reason, language, duration=None) from error
        return self._missing_models(options, language)


def _offer(name: str, options: Options) -> Sentence:
    """Why to download a model."""
    if MODELS[name].kind == "restorer" and options.restorer == "auto":
        return say(
            "Where a photo holds hardly anything of a face, the face stays soft. **{name}** draws "
            "a whole face there, not always the person's.",
            name=name,
        )
    return say("**{name}** is not on this machine. {about}", name=name, about=MODELS[name].about)


def _missing(options: Options) -> dict[str, WeightFile]:
    """The files that these options need and this machine has not, by their models' names."""
    files = required_weights(options)
    return {name: file for name, file in files.items() if locate(file) is None}
