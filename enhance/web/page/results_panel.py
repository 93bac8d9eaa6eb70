"""The photos with their results: gallery, progress, viewer, downloads and the table of details."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.errors import EnhanceError
from enhance.web.batches.edits import change, lay_over
from enhance.web.batches.store import BatchStore
from enhance.web.language import text, toast, translated
from enhance.web.page.look import Tab, tab_of
from enhance.web.page.status import status_widget
from enhance.web.page.viewed import COLUMNS, common_notes, pictures, rows, versions, view_of
from enhance.web.page.viewer import viewer_widget
from enhance.web.page.widgets import PRIVATE, QUICK, Shown, sent_by, share_of

# One at a time for all visitors, because reassembling a photo takes much memory.
LAYERS: dict[str, Any] = {"concurrency_id": "layers", "concurrency_limit": 1}


def gallery_widget() -> gr.Gallery:
    """The gallery of the photos, from which they can be taken out."""
    return gr.Gallery(
        label=text("Photos"),
        show_label=False,  # it would cover the first picture
        columns=4,
        object_fit="cover",
        fit_columns=False,
        allow_preview=False,
        buttons=[],
        interactive=True,
        elem_id="gallery",
    )


class ResultsPanel:
    """Widgets and their handlers for the batch whose key the page holds."""

    def __init__(self, batches: BatchStore, gallery: gr.Gallery) -> None:
        """Draw into the current column. gallery: where the photos are; see `gallery_widget`."""
        self._batches = batches
        self.gallery = gallery
        with gr.Row(elem_id="headline"):
            self.status = status_widget()
            self.zip = gr.Button(
                text("Download all"), interactive=False, variant="primary", elem_id="zip"
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
        """All widgets that `shown` may change."""
        pictures = [self.viewer, self.gallery, self.versions]
        return [*pictures, self.notes, self.table, self.zip, self.csv, self.json]

    def shown(self, tab: Tab) -> Shown:
        """What depends on what the tab looks at, for an event with postprocess=False."""
        query = "&".join(f"{photo}={version}" for photo, version in sorted(tab.picks.items()))
        ready = bool(tab.batch.finished)
        downloads = {
            button: gr.update(
                interactive=ready, link=f"batches/{tab.batch.key}/{name}{query and '?'}{query}"
            )
            for button, name in (
                (self.zip, "enhanced_photos.zip"),
                (self.csv, "report.csv"),
                (self.json, "report.json"),
            )
        }
        return {
            self.viewer: view_of(tab),
            # Photos can be taken out while none is being worked on.
            self.gallery: gr.update(value=pictures(tab), interactive=not tab.batch.remaining),
            self.versions: versions(tab),
            **downloads,
            **(self._table(tab) if tab.look.table else {}),
        }

    def connect(self, key: gr.Textbox) -> None:
        """Wire the handlers that need no model."""
        quick = QUICK | {"postprocess": False}
        self.details.expand(self._open, key, [self.notes, self.table], **quick)
        self.details.collapse(self._close, key, None, **quick)
        latest = quick | {"trigger_mode": "always_last"}
        for event, handler in (
            (self.gallery.select, self._look),
            (self.viewer.select, self._look),
            (self.viewer.input, self._compare),
            (self.versions.select, self._pick),
        ):
            event(handler, key, self.widgets, **latest)
        for event, trigger_mode in (
            (self.viewer.edit, "multiple"),
            (self.viewer.expand, "once"),
            (self.viewer.release, "always_last"),
        ):
            event(
                self._change,
                key,
                self.widgets,
                trigger_mode=trigger_mode,
                show_progress="hidden",
                postprocess=False,
                **LAYERS,
                **PRIVATE,
            )

    def _table(self, tab: Tab) -> Shown:
        headers = [translated(column, tab.language) for column in COLUMNS]
        common = common_notes(tab)
        return {
            self.notes: "\n\n".join(translated(note, tab.language) for note in common),
            self.table: {"headers": headers, "data": rows(tab, common), "metadata": None},
        }

    def _open(self, request: gr.Request, key: str) -> Any:
        """Show the table, and keep it up to date while it is open."""
        batch = self._batches.get(key)
        if batch is None:
            return gr.skip(), gr.skip()
        tab = Tab.of(batch, request)
        tab.look.table = True
        return self._table(tab)

    def _close(self, request: gr.Request, key: str) -> None:
        if batch := self._batches.get(key):
            Tab.of(batch, request).look.table = False

    def _look(self, request: gr.Request, key: str, event: gr.EventData) -> Shown:
        tab = tab_of(self._batches, key, request)
        tab.go_to(sent_by(event).get("index"))
        return self.shown(tab)

    def _pick(self, request: gr.Request, key: str, event: gr.EventData) -> Shown:
        """Choose a version; the photo itself is on the left then."""
        tab = tab_of(self._batches, key, request)
        index = sent_by(event).get("index")
        if isinstance(index, int) and 0 <= index < len(tab.entry.versions):
            tab.compare(None, index)
        return self.shown(tab)

    def _compare(self, request: gr.Request, key: str, event: gr.EventData) -> Shown:
        """Compare other versions of the photo; the one on the right becomes the chosen one."""
        tab, sent = tab_of(self._batches, key, request), sent_by(event)
        tab.go_to(sent.get("index"))
        numbers = {str(number): number for number in range(len(tab.entry.versions))}
        right = numbers.get(str(sent.get("right")), tab.sides[1])
        if right is not None:
            tab.compare(numbers.get(str(sent.get("left"))), right)
        return self.shown(tab)

    def _change(self, request: gr.Request, key: str, event: gr.EventData) -> Shown:
        """Switch a restored face off or on, apply other strengths of faces and background, or make
        the pictures with which the browser previews those."""
        tab, sent = tab_of(self._batches, key, request), sent_by(event)
        tab.go_to(sent.get("index"))
        entry, version, limits = tab.entry, tab.version, self._batches.limits
        if version is None or not version.layers:
            return self.shown(tab)
        shares = {name: share_of(sent.get(name)) for name in ("weight", "background_weight")}
        strengths = {name: share for name, share in shares.items() if share is not None}
        try:
            if (face := sent.get("face")) in version.restorable:
                kept = set(version.report.restored) - {face}
                kept = kept | {face} if sent.get("on") else kept
                change(tab.batch, entry, version, limits, keep=kept)
            elif strengths:
                change(tab.batch, entry, version, limits, keep=None, **strengths)
            else:
                lay_over(tab.batch, entry, version, limits)
        except EnhanceError as error:
            raise toast(error.sentence, tab.language) from error
        return self.shown(tab)
