"""The viewer of enhanced photos: before and after, zoom, faces that can be switched, keys.

One HTML widget, drawn in the browser by `viewer.js` from plain values. Five events come back,
each with an object whose fields a listener reads from its `gr.EventData`:

- `select` `{index}`: another photo is asked for, by its index among them (from 0);
- `edit` `{face, on}`: a face, by its index in `View.faces`, is to be restored or left as it is;
- `input` `{left, right}`: other versions are to be compared, by their keys;
- `expand` `{}`: the strengths are to be changed, for which `View.layers` is needed;
- `release` `{weight, background_weight}`: those that a person has chosen, in 0..1.

Zoom, place and line stay in the browser: they survive a new value of the same photo.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gradio as gr

BEFORE = "before"
"""The key of the photo as it was, among the versions to compare."""

WORDS = {
    "viewer": "Photo viewer",
    "before": "Before",
    "after": "After",
    "split": "Line between before and after",
    "fit": "Fit",
    "actual": "100 %",
    "zoom": "Zoom",
    "zoom_in": "Zoom in",
    "zoom_out": "Zoom out",
    "faces": "Faces",
    "face_on": "restored. Press to leave it as it was.",
    "face_off": "left as it was. Press to restore it.",
    "face_fixed": "not restored, so there is nothing to switch.",
    "strength": "Strength",
    "face_strength": "Faces",
    "background_strength": "Background",
    "previous": "Previous photo",
    "next": "Next photo",
    "left": "Version on the left",
    "right": "Version on the right",
    "full_screen": "Full screen",
    "download": "Download",
    "preview": "Preview",
    "loading": "Loading …",
    "failed": "This picture cannot be loaded. Enhance the photo again.",
    "empty": "Your photo appears here as soon as it is done: before on the left, after on the "
    "right.",
}
"""Every word of the widget, in English."""


@dataclass(frozen=True)
class Outline:
    """A face in the picture."""

    box: tuple[float, float, float, float]
    """left, top, right, bottom as fractions 0..1 of the picture"""
    label: str
    on: bool = True
    """the restored face is shown, not the one of the photo"""
    can: bool = True
    """it was restored, so it can be switched"""


@dataclass(frozen=True)
class View:
    """A photo, its result, and what can be done with them. URLs are of the same origin."""

    name: str
    caption: str
    index: int
    """which of the photos it is, from 0"""
    count: int
    before: str
    """URL"""
    after: str
    """URL"""
    width: int
    """pixels of `after` at 100 %"""
    height: int
    faces: tuple[Outline, ...] = ()
    left: str = BEFORE
    """key of the version shown as `before`"""
    right: str = ""
    """key of the version shown as `after`"""
    choices: tuple[tuple[str, str], ...] = ()
    """(key, label) of each version of the result"""
    download: str = ""
    """URL; none: no link"""
    filename: str = ""
    """of the download"""
    weight: float | None = None
    """strength of the restored faces, 0..1; None: it cannot be changed"""
    background_weight: float | None = None
    """strength of the cleaned background, likewise"""
    layers: tuple[str, ...] = ()
    """URLs, from below: the photo, the cleaned background, the faces; none: ask for them"""
    draft: bool = False
    """`after` is a quick preview"""


def viewer_widget() -> gr.HTML:
    """The widget; give it values made by `view` or `empty`."""
    return gr.HTML(
        empty(),
        html_template=_read("html"),
        css_template=_read("css"),
        js_on_load=_read("js"),
        apply_default_css=False,
        elem_id="viewer",
        label="Before and after",
    )


def view(photo: View, words: dict[str, str] | None = None) -> dict[str, Any]:
    """The widget's value for a photo: plain data. words: translations of `WORDS`, by key."""
    value = asdict(photo)
    value["versions"] = {
        "left": value.pop("left"),
        "right": value.pop("right"),
        "choices": [{"key": key, "label": label} for key, label in value.pop("choices")],
    }
    return value | empty(words)


def empty(words: dict[str, str] | None = None) -> dict[str, Any]:
    """The widget's value while there is no photo."""
    return {"words": WORDS | (words or {})}


def _read(suffix: str) -> str:
    return Path(__file__).with_suffix(f".{suffix}").read_text("utf-8")
