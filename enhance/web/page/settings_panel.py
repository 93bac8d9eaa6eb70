"""The settings panel: presets with their cost, the options, and the models that they need.

The browser remembers the settings.
"""

from __future__ import annotations

import html
import json
import logging
from pathlib import Path
from typing import Any

import gradio as gr
from anyio import CapacityLimiter, to_thread

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.models.catalogue import MODELS
from enhance.models.download import fetch
from enhance.models.files import WeightFile
from enhance.models.verified import locate
from enhance.options import Options, renamed
from enhance.photos import expected_extension, result_stem
from enhance.pipeline.estimates import Estimator, readable
from enhance.pipeline.model_choice import required_weights
from enhance.web.batches.sizes import known_size
from enhance.web.language import Language, language_of, text, toast, translated
from enhance.web.page.address import from_query, query_of
from enhance.web.page.presets import ABOUT, LABELS, PRESETS, preset_of
from enhance.web.page.settings import Settings
from enhance.web.page.widgets import PRIVATE, QUICK, Sent, Shown, browser_state, paths_of

log = logging.getLogger(__name__)

_PROGRESS = gr.Progress()
_TO_ADDRESS = "(query) => history.replaceState(null, '', query || location.pathname)"
_SESSIONS = 1000  # whose changes are counted
_TYPICAL = 4000, 3000  # pixels of a photo, until there is one
_READERS = 2  # photos whose headers are read at once; more would block the rest of the page


class SettingsPanel:
    """Widgets and their handlers; `settings.options` turns the widgets' values into options."""

    def __init__(self, estimator: Estimator, may_download: bool) -> None:
        """Draw into the current column. may_download: whether missing models can be downloaded."""
        self._may_download = may_download
        self._estimator = estimator
        self._readers = CapacityLimiter(_READERS)
        self._asked: dict[str, int] = {}  # how often each session's settings have changed
        self.preset = gr.Radio(
            [(f"{label}\n{ABOUT[name]}", name) for name, label in LABELS.items()],
            value="automatic",
            label=text("What to do"),
            elem_id="preset",
        )
        self.models = gr.Markdown(elem_id="models")
        self.fetch = gr.Button(text("Download"), visible=False, size="sm", elem_id="fetch")
        self.settings = Settings()
        self.remembered = browser_state("settings", None)
        self.address = gr.Textbox(visible=False)  # the query of the page's address

    def connect(self, page: gr.Blocks, files: gr.File, estimate: gr.Markdown) -> None:
        """Wire the handlers. estimate: where the cost of enhancing `files` is shown."""
        self._estimate = estimate
        widgets = self.settings.widgets
        changed = {
            "fn": self._changed,
            "inputs": [files, *widgets],
            "outputs": [
                self.preset,
                estimate,
                self.models,
                self.fetch,
                self.remembered,
                self.address,
                self.settings.example,
            ],
            "preprocess": False,
        } | QUICK
        page.load(
            self._restore,
            [self.remembered, self.address],
            widgets,
            js="(remembered) => [remembered, location.search]",
            **QUICK,
        ).then(**changed)
        self.address.change(None, self.address, None, js=_TO_ADDRESS, **QUICK)
        # In the browser, so that a click on Enhance right after it finds the preset's values.
        self.preset.input(
            None, [self.preset, *widgets], widgets, js=self._take_preset(), **QUICK
        ).then(**changed)
        # Only a person's input, because a preset changes many widgets, not all at the same moment.
        # A text's input event misses what is pasted or deleted, so leaving the field counts, too.
        fields = gr.Textbox | gr.Dropdown
        left = [widget.blur for widget in widgets if isinstance(widget, fields)]
        gr.on(
            [files.change, *(widget.input for widget in widgets), *left],
            trigger_mode="always_last",
            **changed,
        )
        self.fetch.click(
            self._fetch,
            self.settings.widgets,
            [self.models, self.fetch],
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

    async def _changed(self, request: gr.Request, files: Sent, *values: Any) -> Shown:
        """Show the cost and the missing models of the current settings, and remember them."""
        session = str(request.session_hash)
        asked = self._asked.pop(session, 0) + 1
        self._asked[session] = asked  # as the newest one
        if len(self._asked) > _SESSIONS:
            del self._asked[next(iter(self._asked))]
        paths = paths_of(files)
        sizes = await to_thread.run_sync(_sizes, paths, limiter=self._readers)
        language = language_of(request)
        shown = await to_thread.run_sync(self._chosen, language, paths, sizes, values)
        # An answer that waited for the models must not replace that to a later question.
        return shown if self._asked.get(session) == asked else {self._estimate: gr.skip()}

    def _chosen(
        self,
        language: Language,
        paths: list[Path],
        sizes: list[tuple[int, int]],
        values: tuple[Any, ...],
    ) -> Shown:
        try:
            options = self.settings.options(*values)
        except EnhanceError as error:
            sentence = translated(error.sentence, language)
            return {self._estimate: sentence, self.settings.example: html.escape(sentence)}
        remembered = zip(self.settings.names, self.settings.values(options), strict=True)
        cost = translated(self._cost(len(paths), sizes, options), language)
        return {
            self.preset: self._presets(sizes, options, language),
            self._estimate: cost,
            self.remembered: dict(remembered),
            self.address: query_of(options),
            self.settings.example: html.escape(self._example(paths, sizes, options)),
            **self._missing_models(options, language),
        }

    def _cost(self, count: int, sizes: list[tuple[int, int]], options: Options) -> str:
        """How long the work will take, before it is started."""
        if not count:
            return ""
        self._estimator.wait()
        seconds = self._estimator.seconds(sizes, options)
        if seconds is None:
            return say("The models are still loading, but you can start right away.")
        time = readable(seconds)
        if count == 1:
            return say("1 photo: about {time} if it has one face.", time=time)
        return say(
            "{count} photos: about {time} if each has one face.",
            count=count,
            time=time,
        )

    def _presets(self, sizes: list[tuple[int, int]], options: Options, language: Language) -> Any:
        """The presets, each labelled with its time for these photos."""
        name = preset_of(options)
        choices = []
        for key, label in LABELS.items():
            if key == "custom" != name:
                continue  # nothing to choose, only what the presets are left for
            shown = f"{translated(label, language)}\n{translated(ABOUT[key], language)}"
            seconds = self._estimator.seconds(sizes, PRESETS[key]) if key in PRESETS else None
            cost = "\u00a0"  # always a line, so that nothing moves
            if sizes and seconds is not None:
                cost = translated(readable(seconds), language)
            choices.append((f"{shown}\n{cost}", key))
        return gr.update(choices=choices, value=name)

    def _example(self, paths: list[Path], sizes: list[tuple[int, int]], options: Options) -> str:
        """The first photo's name and that of its result."""
        photo = paths[0].name if paths else "photo.jpg"
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
        """List the chosen models that are not on this machine, with their licences."""
        missing = _missing(options)
        if not missing:
            return {self.models: "", self.fetch: gr.update(visible=False)}
        lines = [
            say(
                "- **{name}** ({megabytes:.0f} MB) is not on this machine. {about} "
                "*Licence: {licence}.* {warning}",
                name=name,
                megabytes=file.size / 1e6,
                about=MODELS[name].about,
                licence=MODELS[name].licence,
                warning=MODELS[name].warning,
            )
            for name, file in missing.items()
        ]
        label = say(
            "Download ({megabytes:.0f} MB)",
            megabytes=sum(file.size for file in missing.values()) / 1e6,
        )
        return {
            self.models: "\n".join(translated(line, language) for line in lines),
            self.fetch: gr.update(visible=self._may_download, value=translated(label, language)),
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


def _missing(options: Options) -> dict[str, WeightFile]:
    """The files that these options need and this machine has not, by their models' names."""
    files = required_weights(options)
    return {name: file for name, file in files.items() if locate(file) is None}


def _sizes(paths: list[Path]) -> list[tuple[int, int]]:
    return [size for size in map(known_size, paths) if size]
