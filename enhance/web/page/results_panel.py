"""The results panel: progress, gallery, viewer and downloads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.web.batches.batch import Batch, Entry, Version
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, language_of, text, toast, translated
from enhance.web.page.headline import headline
from enhance.web.page.status import caption, details, idle, progress, status_widget
from enhance.web.page.viewer import BEFORE, WORDS, Outline, View, empty, view, viewer_widget
from enhance.web.page.widgets import Shown


def batch_of(batches: BatchStore, key: str, language: Language) -> Batch:
    """The batch with this key; raises gr.Error if it has expired."""
    batch = batches.get(key)
    if batch is None:
        raise toast("These results have expired. Enhance the photos again.", language)
    return batch


class ResultsPanel:
    """Widgets and their handlers for the batch whose key the page holds."""

    def __init__(self, batches: BatchStore) -> None:
        """Draw into the current column."""
        self._batches = batches
        self.status = status_widget()
        self.gallery = gr.Gallery(
            label=text("Enhanced photos"),
            show_label=False,  # it would cover the first picture
            columns=4,
            object_fit="contain",
            fit_columns=False,
            allow_preview=False,
            buttons=[],
            interactive=False,
            elem_id="gallery",
        )
        self.viewer = viewer_widget()
        self.again = gr.Button(
            text("Enhance this photo again with the current settings"),
            visible=False,
            size="sm",
            elem_id="again",
        )
        with gr.Row():
            self.zip = gr.Button(
                text("Download all (ZIP)"), interactive=False, variant="primary", elem_id="zip"
            )
            self.csv = gr.Button(
                text("Report (CSV)"), interactive=False, size="sm", min_width=80, elem_id="csv"
            )
            self.json = gr.Button(
                text("Report (JSON)"), interactive=False, size="sm", min_width=80, elem_id="json"
            )

    @property
    def widgets(self) -> list[Any]:
        """All widgets that `shown` and `cleared` may change."""
        return [self.status, self.gallery, self.viewer, self.again, *self._downloads]

    def connect(self, page: gr.Blocks, key: gr.Textbox) -> None:
        """Wire the handlers that need no model."""
        quick: dict[str, Any] = {
            "api_visibility": "private",
            "queue": False,
            "show_progress": "hidden",
            "postprocess": False,
        }
        page.load(self._welcome, None, [self.status, self.viewer], **quick)
        latest = quick | {"trigger_mode": "always_last"}
        self.gallery.select(self._look, key, self.viewer, **latest)
        self.viewer.select(self._look, key, self.viewer, **latest)
        self.viewer.input(self._compare, key, [self.viewer, self.gallery], **latest)
        # One at a time for all visitors, because reassembling a photo takes much memory.
        for event, handler, trigger_mode in (
            (self.viewer.edit, self._switch_face, "multiple"),
            (self.viewer.expand, self._lay_over, "once"),
            (self.viewer.release, self._weigh, "always_last"),
        ):
            event(
                handler,
                key,
                [self.viewer, self.gallery],
                concurrency_id="layers",
                concurrency_limit=1,
                trigger_mode=trigger_mode,
                show_progress="hidden",
                postprocess=False,
                api_visibility="private",
            )

    def cleared(self, batch: Batch, language: Language) -> Shown:
        """Show a batch that has no results yet."""
        shown = self.progress(batch, language)
        shown |= {self.gallery: [], self.viewer: _nothing(language)}
        return shown | {button: gr.update(interactive=False) for button in self._downloads}

    def progress(self, batch: Batch, language: Language, said: str = "") -> Shown:
        """Show the headline, or `said` in its place, and the table of photos."""
        said = said or headline(batch, self._batches)
        return {self.status: progress(batch, said, language)}

    def shown(self, batch: Batch, language: Language) -> Shown:
        """Show the current state of a batch, for an event with postprocess=False."""
        if batch.looked_at is None and batch.pictured:
            batch.looked_at = batch.pictured[0]
        return {
            **self.progress(batch, language),
            self.gallery: self._pictures(batch, language),
            self.viewer: _view(batch, language),
        }

    def downloads(self, batch: Batch) -> Shown:
        """Enable the download buttons once there is a result."""
        names = ("enhanced_photos.zip", "report.csv", "report.json")
        ready = bool(batch.finished)
        return {
            button: gr.update(interactive=ready, link=f"batches/{batch.key}/{name}")
            for button, name in zip(self._downloads, names, strict=True)
        }

    @property
    def _downloads(self) -> list[gr.Button]:
        return [self.zip, self.csv, self.json]

    def _pictures(self, batch: Batch, language: Language) -> list[dict[str, Any]]:
        return [
            {"image": _file(entry.thumbnail), "caption": caption(entry, language)}
            for entry in batch.pictured
        ]

    def _welcome(self, request: gr.Request) -> tuple[Any, Any]:
        language = language_of(request)
        hint = say("Add photos and press Enhance. Each one appears here as soon as it is done.")
        return idle(hint, language), _nothing(language)

    def _look(self, request: gr.Request, key: str, event: gr.EventData) -> dict[str, Any]:
        language = language_of(request)
        batch = batch_of(self._batches, key, language)
        pictured, index = batch.pictured, _sent(event).get("index")
        if pictured and isinstance(index, int):
            batch.looked_at = pictured[max(0, min(index, len(pictured) - 1))]
        return _view(batch, language)

    def _compare(self, request: gr.Request, key: str, event: gr.EventData) -> tuple[Any, Any]:
        """Compare other versions of the photo; the one on the right becomes the chosen one."""
        language = language_of(request)
        batch = batch_of(self._batches, key, language)
        entry = batch.looked_at
        if entry and entry.versions:
            keys = range(len(entry.versions))
            left, right = _sent(event).get("left"), _sent(event).get("right")
            entry.compared = next((k for k in keys if str(k) == left), None)
            entry.chosen = next((k for k in keys if str(k) == right), entry.chosen)
        return _view(batch, language), self._pictures(batch, language)

    def _switch_face(self, request: gr.Request, key: str, event: gr.EventData) -> tuple[Any, Any]:
        """Switch a restored face off or on."""
        sent = _sent(event)

        def switch(batch: Batch, entry: Entry, version: Version) -> None:
            face = sent.get("face")
            if face in version.restorable:
                kept = set(version.report.restored) - {face}
                batch.change(
                    entry, self._batches.limits, keep=kept | {face} if sent.get("on") else kept
                )

        return self._on_layers(request, key, switch)

    def _lay_over(self, request: gr.Request, key: str, event: gr.EventData) -> tuple[Any, Any]:
        """Make the pictures with which the browser previews other strengths instantly."""
        return self._on_layers(
            request, key, lambda batch, entry, _: batch.lay_over(entry, self._batches.limits)
        )

    def _weigh(self, request: gr.Request, key: str, event: gr.EventData) -> tuple[Any, Any]:
        """Apply other strengths of faces and background."""
        sent = _sent(event)

        def weigh(batch: Batch, entry: Entry, _: Version) -> None:
            batch.change(
                entry,
                self._batches.limits,
                weight=_share(sent.get("weight")),
                background_weight=_share(sent.get("background_weight")),
            )

        return self._on_layers(request, key, weigh)

    def _on_layers(
        self, request: gr.Request, key: str, act: Callable[[Batch, Entry, Version], None]
    ) -> tuple[Any, Any]:
        """Call `act` on the selected photo if it has layers."""
        language = language_of(request)
        batch = batch_of(self._batches, key, language)
        entry = batch.looked_at
        if entry and entry.version and entry.version.layers:
            try:
                act(batch, entry, entry.version)
            except EnhanceError as error:
                raise toast(error.sentence, language) from error
        return _view(batch, language), self._pictures(batch, language)


def _sent(event: gr.EventData) -> dict[str, Any]:
    """The data of a widget's event; unchecked, as anyone can send such an event."""
    return event._data if isinstance(event._data, dict) else {}


def _share(value: object) -> float | None:
    """A number from the browser; None for anything else."""
    return float(value) if isinstance(value, int | float) else None


def _nothing(language: Language) -> dict[str, Any]:
    return empty(_words(language))


def _words(language: Language) -> dict[str, str]:
    return {key: translated(word, language) for key, word in WORDS.items()}


def _view(batch: Batch, language: Language) -> dict[str, Any]:
    """The viewer's value for the selected photo."""
    entry = batch.looked_at
    if entry is None or entry.thumbnail is None:
        return _nothing(language)
    version = entry.version
    compared = entry.versions[entry.compared] if entry.compared is not None else None
    width, height = version.report.output_size if version else entry.size or (0, 0)
    photo = View(
        name=entry.source.name,
        caption=details(entry, language),
        index=batch.pictured.index(entry),
        count=len(batch.pictured),
        before=_url(compared.shown if compared else entry.before),
        after=_url(version.shown if version else entry.draft),
        width=width,
        height=height,
        faces=_outlines(version, language) if version else (),
        left=BEFORE if entry.compared is None else str(entry.compared),
        right=str(entry.chosen),
        choices=tuple(
            (str(number), f"{number + 1}: {_settings_of(version)}")
            for number, version in enumerate(entry.versions)
        ),
        download=_url(version.file) if version else "",
        filename=version.file.name if version else "",
        draft=version is None,
        **(_strengths(entry, version) if version and version.layers else {}),
    )
    return view(photo, _words(language))


def _strengths(entry: Entry, version: Version) -> dict[str, Any]:
    """The strengths that can be changed, and the pictures that show them."""
    faces, background = version.report.restored, version.report.background != "lanczos"
    urls = [_url(path) for path in version.over or ()]
    return {
        "weight": version.options.weight if faces else None,
        "background_weight": version.options.background_weight if background else None,
        "layers": (_url(entry.before), *urls) if urls else (),
    }


def _outlines(version: Version, language: Language) -> tuple[Outline, ...]:
    width, height = version.report.source_size
    outlines = []
    for number, face in enumerate(version.report.faces):
        left, top, right, bottom = face.box
        outlines.append(
            Outline(
                box=(left / width, top / height, right / width, bottom / height),
                label=translated(say("Face {number}", number=number + 1), language),
                on=number in version.report.restored,
                can=number in version.restorable,
            )
        )
    return tuple(outlines)


def _settings_of(version: Version) -> str:
    report = version.report
    parts = [f"×{report.upscale:g}", report.restorer, report.background]
    for weight in (version.options.weight, version.options.background_weight):
        if weight < 1:
            parts.append(f"{weight:.0%}")
    return " · ".join(parts)


def _file(path: Path | None) -> dict[str, Any]:
    """A file in the form that a gallery expects.

    It lacks the marker of Gradio's FileData, with which Gradio would check every file of the
    gallery on the disk again for every photo. The files are served all the same.
    """
    assert path is not None
    return {"path": str(path), "url": _url(path), "orig_name": path.name}


def _url(path: Path | None) -> str:
    """The file's URL, relative so that it works behind any proxy."""
    assert path is not None
    return f"gradio_api/file={quote(str(path))}"
