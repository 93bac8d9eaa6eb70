"""The viewer of enhanced photos: before and after, zoom, face switches, keyboard control.

One HTML widget, drawn in the browser by `viewer.js` from plain values. It sends five events, each
with an object whose fields a listener reads from its `gr.EventData`. All of them have `index`, of
the photo that is shown (from 0):

- `select` `{index}`: show another photo, this one;
- `edit` `{face, on}`: show a face, by its index in `View.faces`, restored or as in the photo;
- `apply` `{step, on, all}`: switch a label off or on, by its `Label.step`; all: for all photos;
- `input` `{left, right}`: compare other versions, by their keys;
- `submit` `{strokes}` or `{sensitivity}`: repair the photo again, with marks that were changed
  with a brush (see `brush`), or with those that are found at another sensitivity, in 0..1.

Zoom, position and divider are kept in the browser and survive a new value for the same photo.
"""

from dataclasses import dataclass

import gradio as gr

from enhance.web.language import text
from enhance.web.page.widgets import html_widget

BEFORE = "before"
"""The key of the original photo, among the versions to compare."""

WORDS = {
    "viewer": text("Photo viewer"),
    "before": text("Before"),
    "after": text("After"),
    "split": text("Divider between before and after"),
    "fit": text("Fit"),
    "actual": text("100%"),
    "zoom": text("Zoom"),
    "zoom_in": text("Zoom in"),
    "zoom_out": text("Zoom out"),
    "labels": text("What was done"),
    "for_all": text("for all of these"),
    "faces": text("Faces"),
    "face_on": text("restored. Press to show the original face."),
    "face_off": text("original. Press to show the restored face."),
    "face_fixed": text("not restored, so it cannot be switched."),
    "marks": text("Marks"),
    "paint": text("Mark damage"),
    "erase": text("Remove marks"),
    "brush": text("Brush size"),
    "undo": text("Undo"),
    "repair": text("Repair again"),
    "sensitivity": text("Sensitivity"),
    "find": text("Find damage again"),
    "previous": text("Previous photo"),
    "next": text("Next photo"),
    "left": text("Version on the left"),
    "right": text("Version on the right"),
    "full_screen": text("Full screen"),
    "download": text("Download"),
    "share": text("Before and after in one picture"),
    "keys": text("Keyboard shortcuts"),
    "loading": text("Loading …"),
    "failed": text("This picture cannot be loaded. Enhance the photo again."),
    "empty": text(
        "Your photo appears here as soon as it is done: before on the left, after on the right."
    ),
}
"""All texts of the widget, in English; the browser translates them."""


@dataclass(frozen=True)
class Outline:
    """A face in the picture."""

    box: tuple[float, float, float, float]
    """left, top, right, bottom as fractions 0..1 of the picture"""
    label: str
    on: bool = True
    """the restored face is shown rather than the original one"""
    can: bool = True
    """the face was restored, so it can be switched"""


@dataclass(frozen=True)
class Label:
    """A step that was taken, or that could be."""

    step: str
    text: str
    on: bool


@dataclass(frozen=True)
class View:
    """A photo, its result, and what can be done with them. URLs are same-origin."""

    name: str
    caption: str
    index: int
    """position of the photo among all photos, from 0"""
    count: int
    before: str
    """URL"""
    after: str
    """URL"""
    width: int
    """pixels of `after` at 100 %"""
    height: int
    labels: tuple[Label, ...] = ()
    busy: bool = False
    """it is being enhanced again, so no label can be switched"""
    faces: tuple[Outline, ...] = ()
    left: str = BEFORE
    """key of the version shown as `before`"""
    right: str = ""
    """key of the version shown as `after`"""
    choices: tuple[tuple[str, str], ...] = ()
    """(key, label) of each version of the result"""
    download: str = ""
    """URL, which ends with the file's name; empty until there is a result"""
    marks: str = ""
    """URL of a picture of what was repaired; empty if that was not asked for"""
    sensitivity: float = 0.5
    """with which the marks were found, 0..1"""
    changed: float = 0.0
    """see `Look`; a value with an older one has been overtaken by this"""


def viewer_widget() -> gr.HTML:
    """The widget, empty; its value for a photo is a `View` as a dict."""
    label = text("Before and after")
    return html_widget("viewer", {}, apply_default_css=False, label=label, words=WORDS)
