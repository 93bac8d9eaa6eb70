"""Helpers for Gradio's widgets and events, shared by the parts of the page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from enhance.errors import EnhanceError
from enhance.web.batches.store import BatchStore
from enhance.web.language import toast
from enhance.web.page.look import Tab

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Arguments of an event that is not part of the API."""

QUICK: dict[str, Any] = PRIVATE | {"queue": False}
"""Arguments of an event that is over at once."""

PREPARED: dict[str, Any] = PRIVATE | {"preprocess": False, "postprocess": False}
"""Arguments of an event whose values are as the browser sends and wants them. (Gradio would create
an empty file for each upload, and prepare each picture again for every photo of the batch.)"""

# One at a time for all visitors, because reassembling a photo takes much memory.
LAYERS: dict[str, Any] = {
    "concurrency_id": "layers",
    "concurrency_limit": 1,
    "trigger_mode": "multiple",
}
"""Arguments of an event that makes photos anew from their layers."""

# A client has a quarter of what runs at once (see `SharedQueue`): one, so its own are in order.
CHANGES: dict[str, Any] = {"concurrency_id": "changes", "concurrency_limit": 4}
"""Arguments of an event that changes which photos a batch has, or begins with them. It reads the
headers of the photos that come in."""

Shown = dict[Any, Any]
"""What an event changes: a new value for each widget in it; other widgets stay as they are."""


def handler(
    batches: BatchStore, act: Callable[..., Shown | None], show: Callable[[Tab], Shown]
) -> Callable[..., Shown]:
    """A handler for an event whose inputs are a batch's key and what `act` takes besides.

    act: does what a person wants, given the tab and the event's data, which are unchecked, as
        anyone can send such an event; may raise EnhanceError. What it returns is shown, too.
    show: makes what the page then shows of the batch.
    """

    def handle(request: gr.Request, key: str, event: gr.EventData, *values: Any) -> Shown:
        tab = Tab.of(batches, key, request)
        sent = event._data if isinstance(event._data, dict) else {}
        try:
            more = act(tab, sent, *values)
        except EnhanceError as error:
            raise toast(error.sentence, tab.language) from error
        return show(tab) | (more or {})

    handle.__name__ = act.__name__  # by which Gradio's own messages call it
    return handle


def browser_state(name: str, default: Any) -> gr.BrowserState:
    """A state that the browser keeps between visits."""
    # Gradio encrypts it. The contents are no secret; the key only has to stay the same.
    key = "photo-enhancer"
    return gr.BrowserState(default, storage_key=f"enhance-{name}", secret=key)


def scroll_to(part: str, lowest: float) -> str:
    """The `js` of an event after which a part of the page is looked at, which on a phone is below
    what was clicked. lowest: where it may begin, as a share of the screen's height."""
    return f"""(...values) => {{
  const part = document.querySelector("{part}");
  if (part.getBoundingClientRect().top > innerHeight * {lowest}) part.scrollIntoView();
  return values;
}}"""


def html_widget(part: str, value: dict[str, Any], **more: Any) -> gr.HTML:
    """A part of the page that the browser draws from plain data: with the template, style and
    script of this name beside this module. more: what `gr.HTML` and the script take besides."""
    folder = Path(__file__).parent
    return gr.HTML(
        value,
        html_template=(folder / f"{part}.html").read_text("utf-8"),
        css_template=(folder / f"{part}.css").read_text("utf-8"),
        js_on_load=(folder / f"{part}.js").read_text("utf-8"),
        elem_id=part,
        **more,
    )
