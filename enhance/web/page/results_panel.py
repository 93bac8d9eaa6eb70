"""The results panel: progress, viewer, gallery, downloads and the table of details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from enhance.errors import EnhanceError
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry, Version
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, language_of, text, toast, translated
from enhance.web.page.details import COLUMNS, common_notes, rows
from enhance.web.page.headline import headline, seconds_of_photo
from enhance.web.page.status import progress, status_widget
from enhance.web.page.viewed import pictures, versions, view_of
from enhance.web.page.viewer import viewer_widget
from enhance.web.page.widgets import PRIVATE, QUICK, Shown, sent_by, share_of

Looked = tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]
"""The values of the viewer, the gallery and the gallery of versions."""


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
        with gr.Row(elem_id="headline"):
            self.status = status_widget()
            self.zip = gr.Button(
                text("Download all"), interactive=False, variant="primary", elem_id="zip"
            )
        self.gallery = gr.Gallery(
            label=text("Photos"),
            show_label=False,  # it would cover the first picture
            columns=4,
            object_fit="cover",
            fit_columns=False,
            allow_preview=False,
            buttons=[],
            interactive=False,
            elem_id="gallery",
        )
        self.viewer = viewer_widget()
        with gr.Row():
            self.again = gr.Button(
                text("Enhance this photo again with the current settings"),
                visible=False,
                size="sm",
                elem_id="again",
            )
            self.try_all = gr.Button(
                text("Try all presets on this photo"), visible=False, size="sm", elem_id="try_all"
            )
        self.versions = gr.Gallery(
            label=text("The same detail of each version, at 100%. Pick the best one."),
            columns=3,
            object_fit="contain",
            allow_preview=False,
            buttons=[],
            interactive=False,
            elem_id="versions",
        )
        with gr.Accordion(text("Details"), open=False, elem_id="details") as self.details:
            self.notes = gr.Markdown(elem_id="notes")
            self.table = gr.Dataframe(
                headers=COLUMNS,
                column_widths=["25%", "15%", "60%"],
                interactive=False,
                wrap=True,
                show_label=False,
                buttons=[],
                elem_id="table",
            )
            with gr.Row():
                self.csv = gr.Button(
                    text("Report (CSV)"), interactive=False, size="sm", elem_id="csv"
                )
                self.json = gr.Button(
                    text("Report (JSON)"), interactive=False, size="sm", elem_id="json"
                )

    @property
    def widgets(self) -> list[Any]:
        """All widgets that `shown` and `cleared` may change."""
        shown = [self.status, self.gallery, self.viewer, self.versions, self.notes, self.table]
        return [*shown, self.again, self.try_all, *self._downloads]

    def connect(self, key: gr.Textbox) -> None:
        """Wire the handlers that need no model."""
        quick = QUICK | {"postprocess": False}
        self.details.expand(self._open, key, [self.notes, self.table], **quick)
        self.details.collapse(self._close, key, None, **quick)
        latest = quick | {"trigger_mode": "always_last"}
        looked = [self.viewer, self.gallery, self.versions]
        for event, handler in (
            (self.gallery.select, self._look),
            (self.viewer.select, self._look),
            (self.viewer.input, self._compare),
            (self.versions.select, self._pick),
        ):
            event(handler, key, looked, **latest)
        # One at a time for all visitors, because reassembling a photo takes much memory.
        for event, handler, trigger_mode in (
            (self.viewer.edit, self._switch_face, "multiple"),
            (self.viewer.expand, self._lay_over, "once"),
            (self.viewer.release, self._weigh, "always_last"),
        ):
            event(
                handler,
                key,
                looked,
                concurrency_id="layers",
                concurrency_limit=1,
                trigger_mode=trigger_mode,
                show_progress="hidden",
                postprocess=False,
                **PRIVATE,
            )

    def cleared(self, batch: Batch, language: Language) -> Shown:
        """Show a batch that has no results yet."""
        return self.shown(batch, language) | {
            button: gr.update(interactive=False) for button in self._downloads
        }

    def progress(self, batch: Batch, language: Language, said: str = "") -> Shown:
        """Show how far the batch is, under the headline or under `said` in its place."""
        said = said or headline(batch, self._batches)
        seconds = seconds_of_photo(batch, self._batches)
        return {self.status: progress(batch, said, seconds, language)}

    def shown(self, batch: Batch, language: Language) -> Shown:
        """Show the current state of a batch, for an event with postprocess=False."""
        if batch.looked_at is None and batch.pictured:
            batch.looked_at = batch.pictured[0]
        shown = {
            **self.at_last(batch, language),
            self.gallery: pictures(batch, language),
            self.versions: versions(batch, language),
        }
        return shown | (self._table(batch, language) if batch.tabled else {})

    def at_last(self, batch: Batch, language: Language) -> Shown:
        """What a turn ends with.

        With the viewer: on a busy machine the browser may get this together with what came before
        it, and then Gradio drops the earlier value. Without the gallery, which would be sent whole.
        """
        return {**self.progress(batch, language), self.viewer: view_of(batch, language)}

    def _table(self, batch: Batch, language: Language) -> Shown:
        headers = [translated(column, language) for column in COLUMNS]
        common = common_notes(batch)
        data = rows(batch, common, language)
        return {
            self.notes: "\n\n".join(translated(note, language) for note in common),
            self.table: {"headers": headers, "data": data, "metadata": None},
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

    def _open(self, request: gr.Request, key: str) -> Any:
        """Show the table, and keep it up to date while it is open."""
        batch = self._batches.get(key)
        if batch is None:
            return gr.skip(), gr.skip()
        batch.tabled = True
        return self._table(batch, language_of(request))

    def _close(self, key: str) -> None:
        if batch := self._batches.get(key):
            batch.tabled = False

    def _look(self, request: gr.Request, key: str, event: gr.EventData) -> Looked:
        language = language_of(request)
        batch = batch_of(self._batches, key, language)
        index = sent_by(event).get("index")
        if isinstance(index, int):
            batch.looked_at = batch.entries[max(0, min(index, len(batch.entries) - 1))]
        return _looked(batch, language)

    def _pick(self, request: gr.Request, key: str, event: gr.EventData) -> Looked:
        """Choose a version; the photo itself is on the left then."""
        language = language_of(request)
        batch = batch_of(self._batches, key, language)
        entry, index = batch.looked_at, sent_by(event).get("index")
        if entry and isinstance(index, int) and 0 <= index < len(entry.versions):
            entry.chosen, entry.compared = index, None
        return _looked(batch, language)

    def _compare(self, request: gr.Request, key: str, event: gr.EventData) -> Looked:
        """Compare other versions of the photo; the one on the right becomes the chosen one."""
        language = language_of(request)
        batch = batch_of(self._batches, key, language)
        entry = batch.looked_at
        if entry and entry.versions:
            keys = range(len(entry.versions))
            left, right = sent_by(event).get("left"), sent_by(event).get("right")
            entry.compared = next((k for k in keys if str(k) == left), None)
            entry.chosen = next((k for k in keys if str(k) == right), entry.chosen)
        return _looked(batch, language)

    def _switch_face(self, request: gr.Request, key: str, event: gr.EventData) -> Looked:
        """Switch a restored face off or on."""
        sent = sent_by(event)

        def switch(batch: Batch, entry: Entry, version: Version) -> None:
            face = sent.get("face")
            if face in version.restorable:
                kept = set(version.report.restored) - {face}
                batch.change(
                    entry, self._batches.limits, keep=kept | {face} if sent.get("on") else kept
                )

        return self._on_layers(request, key, switch)

    def _lay_over(self, request: gr.Request, key: str, event: gr.EventData) -> Looked:
        """Make the pictures with which the browser previews other strengths instantly."""
        return self._on_layers(
            request, key, lambda batch, entry, _: batch.lay_over(entry, self._batches.limits)
        )

    def _weigh(self, request: gr.Request, key: str, event: gr.EventData) -> Looked:
        """Apply other strengths of faces and background."""
        sent = sent_by(event)

        def weigh(batch: Batch, entry: Entry, _: Version) -> None:
            batch.change(
                entry,
                self._batches.limits,
                weight=share_of(sent.get("weight")),
                background_weight=share_of(sent.get("background_weight")),
            )

        return self._on_layers(request, key, weigh)

    def _on_layers(
        self, request: gr.Request, key: str, act: Callable[[Batch, Entry, Version], None]
    ) -> Looked:
        """Call `act` on the selected photo if it has layers."""
        language = language_of(request)
        batch = batch_of(self._batches, key, language)
        entry = batch.looked_at
        if entry and entry.version and entry.version.layers:
            try:
                act(batch, entry, entry.version)
            except EnhanceError as error:
                raise toast(error.sentence, language) from error
        return _looked(batch, language)


def _looked(batch: Batch, language: Language) -> Looked:
    return view_of(batch, language), pictures(batch, language), versions(batch, language)
