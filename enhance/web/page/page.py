"""The page: drop in photos and watch each one appear enhanced."""

from pathlib import Path
from typing import Any

import gradio as gr

from enhance.web.batches.store import BatchStore
from enhance.web.language import text
from enhance.web.page.actions import Actions
from enhance.web.page.photos_panel import PhotosPanel
from enhance.web.page.results_panel import ResultsPanel
from enhance.web.page.settings_panel import SettingsPanel

# Gradio's own font, but bold rather than semibold: the file of that weight lacks most letters.
_FONT = gr.themes.LocalFont("Source Sans Pro", weights=(400, 700))
# Gradio's own colors, where text can be read on them (a contrast of 4.5 or more).
THEME = gr.themes.Default(font=[_FONT, "ui-sans-serif", "system-ui", "sans-serif"]).set(
    body_text_color_subdued="*neutral_600",
    link_text_color_dark="*secondary_400",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_hover_dark="*primary_800",
    button_primary_border_color="*primary_700",
    button_primary_border_color_dark="*primary_700",
    button_cancel_background_fill="#b91c1c",
    button_cancel_background_fill_hover="#991b1b",
)
CSS = Path(__file__).with_suffix(".css").read_text("utf-8")


def draw_page(
    page: gr.Blocks, batches: BatchStore, samples: list[Path], may_download: bool
) -> dict[str, Any]:
    """Draw photos, results and settings over `batches` into `page`, whose context is open, and wire
    them. Returns the widgets of the options by their names; their values are the API's defaults.

    samples: photos offered to try the page with. may_download: whether visitors may have the server
    download weights.
    """
    gr.Markdown(text("# Photo enhancer"))
    with gr.Column(elem_id="layout"):
        with gr.Column(elem_id="photos"):
            photos = PhotosPanel(batches, samples)
        with gr.Column(elem_id="settings"):
            choices = SettingsPanel(batches, may_download)
        with gr.Column(elem_id="work"):
            actions = Actions(batches)
        with gr.Column(elem_id="results"):
            results = ResultsPanel(batches, photos.gallery)
    choices.connect(page, actions.key, actions.estimate)
    results.connect(actions.key)
    actions.connect(page, choices, results)
    photos.connect(page, actions, choices)
    return choices.options
