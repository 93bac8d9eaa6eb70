"""The photos with their results: gallery, progress, viewer, downloads and the table of details."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from enhance.web.batches.store import BatchStore
from enhance.web.language import text, translated
from enhance.web.page.look import Tab
from enhance.web.page.status import status_widget
from enhance.web.page.viewed import (
    COLUMNS,
    common_notes,
    pictures,
    rows,
    shown_at,
    versions,
    view_of,
)
from enhance.web.page.viewer import viewer_widget
from enhance.web.page.widgets import LAYERS, PREPARED, Shown, handler, scroll_to


class ResultsPanel:
    """Widgets and their handlers for the batch whose key the page holds."""

    def __init__(self, batches: BatchStore, gallery: gr.Gallery) -> None:
        """Draw into the current column. gallery: where the photos are."""
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
        """What depends on what the tab looks at, for an event that is `PREPARED`."""
        query = "&".join(f"{photo}={version}" for photo, version in sorted(tab.picks.items()))
        shown: Shown = {
            self.viewer: view_of(tab),
            # Photos can be taken out while none is being worked on.
            self.gallery: gr.update(value=pictures(tab), interactive=not tab.batch.remaining),
            self.versions: versions(tab),
        }
        for button, name in (
            (self.zip, "enhanced_photos.zip"),
            (self.csv, "report.csv"),
            (self.json, "report.json"),
        ):
            link = f"batches/{tab.batch.key}/{name}{query and '?'}{query}"
            shown[button] = gr.update(interactive=bool(tab.batch.finished), link=link)
        if tab.look.table:
            common = common_notes(tab)
            headers = [translated(column, tab.language) for column in COLUMNS]
            shown[self.notes] = "\n\n".join(translated(note, tab.language) for note in common)
            shown[self.table] = {"headers": headers, "data": rows(tab, common), "metadata": None}
        return shown

    def connect(self, key: gr.Textbox) -> None:
        """Wire the handlers that need no model."""
        latest = {"queue": False, "trigger_mode": "always_last"}
        # `always_last` would send the first of two clicks again in place of the second.
        each = {"queue": False, "trigger_mode": "multiple"}
        wired: list[tuple[Any, Callable[..., None], dict[str, Any]]] = [
            (self.gallery.select, _look, each | {"js": scroll_to("#viewer", 0.6)}),
            (self.viewer.select, _look, each),
            (self.viewer.input, _compare, each),
            (self.viewer.edit, _switch_face, LAYERS),
            (self.versions.select, _pick, each),
            (self.details.expand, _open, latest),
            (self.details.collapse, _close, latest),
        ]
        for event, act, how in wired:
            answer = handler(self._batches, act, self.shown)
            event(answer, key, self.widgets, **PREPARED, **how)


def _look(tab: Tab, sent: dict[str, Any]) -> None:
    """Look at a photo: the one that was clicked in the gallery, or the viewer's next."""
    clicked = sent.get("value")
    found = shown_at(tab, clicked.get("image")) if isinstance(clicked, dict) else None
    tab.go_to(sent.get("index") if found is None else found)


def _switch_face(tab: Tab, sent: dict[str, Any]) -> None:
    """Switch a restored face off or on."""
    tab.go_to(sent.get("index"))
    version, face = tab.version, sent.get("face")
    if version and face in version.restorable:
        others = {*version.report.restored} - {face}
        keep = others | {face} if sent.get("on") else others
        tab.batch.change(tab.entry, version, keep=keep)


def _pick(tab: Tab, sent: dict[str, Any]) -> None:
    """Choose a version; the photo itself is on the left then."""
    index = sent.get("index")
    if isinstance(index, int) and 0 <= index < len(tab.entry.versions):
        tab.compare(None, index)


def _compare(tab: Tab, sent: dict[str, Any]) -> None:
    """Compare other versions of the photo; the one on the right becomes the chosen one."""
    tab.go_to(sent.get("index"))
    numbers = {str(number): number for number in range(len(tab.entry.versions))}
    right = numbers.get(str(sent.get("right")), tab.sides[1])
    if right is not None:
        tab.compare(numbers.get(str(sent.get("left"))), right)


def _open(tab: Tab, sent: object) -> None:
    """Show the table, and keep it up to date while it is open."""
    tab.look.table = True


def _close(tab: Tab, sent: object) -> None:
    tab.look.table = False
