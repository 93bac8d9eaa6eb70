"""Helpers for Gradio's widgets and events, shared by the parts of the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
"""Arguments of an event that is not part of the API."""

QUICK: dict[str, Any] = PRIVATE | {"queue": False, "show_progress": "hidden"}
"""Arguments of an event that is over at once."""

Shown = dict[Any, Any]
"""What an event changes: a new value for each widget in it; other widgets stay as they are."""

Sent = list[dict[str, Any]] | None
"""Uploaded files, checked by Gradio, as an event with preprocess=False receives them. (With
preprocessing, Gradio would create an empty file for each.)"""


def browser_state(name: str, default: Any) -> gr.BrowserState:
    """A state that the browser keeps between visits."""
    # Gradio encrypts it. The contents are no secret; the key only has to stay the same.
    key = "photo-enhancer"
    return gr.BrowserState(default, storage_key=f"enhance-{name}", secret=key)


def sent_by(event: gr.EventData) -> dict[str, Any]:
    """The data of a widget's event; unchecked, as anyone can send such an event."""
    return event._data if isinstance(event._data, dict) else {}


def share_of(value: object) -> float | None:
    """A number from the browser; None for anything else."""
    return float(value) if isinstance(value, int | float) else None
