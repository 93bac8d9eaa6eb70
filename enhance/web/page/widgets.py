"""What the parts of the page share about Gradio's widgets and events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

Shown = dict[Any, Any]
"""What an event changes: widget → value; the widgets that are not in it stay as they are."""

Sent = list[dict[str, Any]] | None
"""Uploaded files as Gradio has checked them, for an event that does not preprocess: that would
leave an empty file for each."""


def paths_of(files: Sent) -> list[Path]:
    """Where uploaded files lie."""
    return [Path(file["path"]) for file in files or ()]


def browser_state(name: str, default: Any) -> gr.BrowserState:
    """Something that this browser remembers between visits."""
    # Gradio encrypts it; the key only has to stay the same, as what is remembered is no secret.
    key = "photo-enhancer"
    return gr.BrowserState(default, storage_key=f"enhance-{name}", secret=key)
