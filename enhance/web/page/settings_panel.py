"""The settings panel: presets with their cost, the options, and the models that they need.

The browser remembers the settings.
"""

import html
import json
import logging
from contextlib import suppress
from dataclasses import asdict, astuple
from typing import Any

import gradio as gr

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.models.catalogue import MODELS
from enhance.models.download import fetch
from enhance.models.files import WeightFile
from enhance.names import result_stem
from enhance.options import OPTIONS, Options, renamed
from enhance.photos import expected_extension
from enhance.pipeline.estimates import readable
from enhance.pipeline.model_choice import required_weights
from enhance.web.batches.batch import Batch
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, language_of, text, toast, translated
from enhance.web.page.presets import ABOUT, LABELS, PRESETS, preset_of
from enhance.web.page.settings import draw_options, from_query, options_from, query_of, updates
from enhance.web.page.status import seconds_left
from enhance.web.page.widgets import PRIVATE, QUICK, Shown, browser_state

log = logging.getLogger(__name__)

_PROGRESS = gr.Progress()
_TO_ADDRESS = "(query) => history.replaceState(null, '', query || location.pathname)"
_TICK = 2  # seconds between two questions for what cannot be estimated yet
_TYPICAL = 4000, 3000  # pixels of a photo, until there is one


class SettingsPanel:
    """Widgets and their handlers; `options` has those of the options, by their names."""

    def __init__(self, batches: BatchStore, may_download: bool) -> None:
        """Draw into the current column. may_download: whether missing models can be downloaded."""
        self._may_download = may_download
        self._batches = batches
        self._estimator = batches.estimator
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
            self.options, self.example = draw_options()
        self.clock = gr.Timer(_TICK, active=False)
        self._offers = [self.models, self.fetch, self.licence, self.terms]
        # Not within, as what is folded is not drawn, and would keep nothing.
        self.remembered = browser_state("settings", None)
        self.address = gr.Textbox(visible=False)  # the query of the page's address
        self._asked = gr.Textbox(visible=False)  # how often `changed` has asked

    def connect(self, page: gr.Blocks, key: gr.Textbox, estimate: gr.Markdown) -> None:
        """Wire the handlers. estimate: where the cost of what is due in the batch of `key` is
        shown. `changed` is the event to chain to what changes the batch, and to `restored`."""
        self._estimate = estimate
        widgets = list(self.options.values())
        # It only asks: were there several events that answer, one answer could overtake another.
        ask = {"fn": None, "inputs": self._asked, "outputs": self._asked}
        self.changed = ask | {"js": "(asked) => String(Number(asked) + 1)"} | QUICK
        self.restored = page.load(
            self._restore,
            [self.remembered, self.address],
            widgets,
            js="(remembered) => [remembered, location.search]",
            **QUICK,
        )
        self.address.change(None, self.address, None, js=_TO_ADDRESS, **QUICK)
        # In the browser, so that a click on Enhance right after it finds the preset's values, which
        # leave the results' names as they are.
        values = json.dumps({name: astuple(options) for name, options in PRESETS.items()})
        take = (
            f"(preset, ...now) => ({values}[preset] || now)"
            f".map((value, i) => i === {list(OPTIONS).index('name')} ? now[i] : value)"
        )
        taken = self.preset.input(None, [self.preset, *widgets], widgets, js=take, **QUICK)
        taken.then(**self.changed)
        # Only a person's input, because a preset changes many widgets, not all at the same moment.
        # A text's input event misses what is pasted or deleted, so leaving the field counts, too.
        fields = gr.Textbox | gr.Dropdown
        left = [widget.blur for widget in widgets if isinstance(widget, fields)]
        gr.on(
            [*(widget.input for widget in widgets), *left, self.clock.tick, self._asked.change],
            self._changed,
            [key, *widgets],
            [
                self.preset,
                estimate,
                *self._offers,
                self.remembered,
                self.address,
                self.example,
                self.clock,
            ],
            preprocess=False,
            trigger_mode="always_last",
            **QUICK,
        )
        self.fetch.click(
            self._fetch,
            widgets,
            self._offers,
            concurrency_id="download",
            **PRIVATE | {"show_progress": "full", "show_progress_on": self.models},
        )

    def _restore(self, request: gr.Request, remembered: object, query: object) -> list[Any]:
        """The settings in the address, or else those of the last visit, if they are valid in this
        version, and the models that are in the models folder now."""
        known = renamed(remembered) if isinstance(remembered, dict) else {}
        if linked := from_query(query):
            known = {"metadata": known.get("metadata")} | linked
        options = None
        with suppress(EnhanceError):
            options = options_from(map(known.get, OPTIONS))
        return updates(options, language_of(request))

    def _changed(self, request: gr.Request, key: str, *values: Any) -> Shown:
        """Show the cost and the missing models of the current settings, and remember them. The page
        asks again until the models are loaded, before which there is no estimate."""
        language, batch = language_of(request), self._batches.get(key)
        try:
            options = options_from(values)
        except EnhanceError as error:
            sentence = translated(error.sentence, language)
            return {self._estimate: sentence, self.example: html.escape(sentence)}
        return {
            self._estimate: translated(self._cost(batch, options), language)
            if batch
            else gr.skip(),
            self.preset: self._presets(batch, options, language),
            self.remembered: asdict(options),
            self.address: query_of(options),
            self.example: html.escape(self._example(batch, options)),
            self.clock: gr.update(active=not self._estimator.ready) if batch else gr.skip(),
            **self._missing_models(options, language),
        }

    def _cost(self, batch: Batch, options: Options) -> str:
        """How long the work will take beside that of others, before it is started."""
        if not batch.due:
            return ""
        if not self._estimator.ready:
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

    def _example(self, batch: Batch | None, options: Options) -> str:
        """The first photo's name and that of its result."""
        due = batch.due if batch else []
        photo = due[0].source.name if due else "photo.jpg"
        size = next((entry.size for entry in due if entry.size), _TYPICAL)
        used = self._estimator.resolved(options)
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
        offers, terms = [], []
        for name in missing:
            model = MODELS[name]
            if model.kind == "restorer" and options.restorer == "auto":
                offer = say(
                    "Where a photo holds hardly anything of a face, the face stays soft. "
                    "**{name}** draws a whole face there, not always the person's.",
                    name=name,
                )
            else:
                offer = say(
                    "**{name}** is not on this machine. {about}", name=name, about=model.about
                )
            term = say(
                "{name}: {licence}. {warning}",
                name=name,
                licence=model.licence,
                warning=model.warning,
            )
            offers.append(translated(offer, language))
            terms.append(translated(term, language))
        label = say(
            "Download ({megabytes:.0f} MB)",
            megabytes=sum(file.size for file in missing.values()) / 1e6,
        )
        return {
            self.models: "\n\n".join(offers),
            self.fetch: gr.update(visible=self._may_download, value=translated(label, language)),
            self.licence: gr.update(visible=True),
            self.terms: "\n\n".join(terms),
        }

    def _fetch(self, request: gr.Request, *values: Any, progress: gr.Progress = _PROGRESS) -> Shown:
        """Download what is missing, because someone pressed the button."""
        language = language_of(request)
        if not self._may_download:
            raise toast(
                say("Models cannot be downloaded from this page. Ask whoever runs the server."),
                language,
            )
        try:
            options = options_from(values)
        except EnhanceError as error:
            raise toast(error.sentence, language) from error
        for file in _missing(options).values():

            def show(done: int, size: int, file: WeightFile = file) -> None:
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


def _missing(options: Options) -> dict[str, WeightFile]:
    """The files that these options need and this machine has not, by their models' names."""
    files = required_weights(options)
    return {name: file for name, file in files.items() if file.locate() is None}
