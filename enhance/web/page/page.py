"""The page: drop in photos and watch each one appear enhanced."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from enhance.i18n import say
from enhance.photos import EXTENSIONS
from enhance.web.batches.store import BatchStore
from enhance.web.language import language_of, text, translated
from enhance.web.page.actions import Actions
from enhance.web.page.results_panel import ResultsPanel, gallery_widget
from enhance.web.page.settings import Settings
from enhance.web.page.settings_panel import SettingsPanel
from enhance.web.page.widgets import QUICK

# Gradio's own colors, where text can be read on them (a contrast of 4.5 or more).
THEME = gr.themes.Default().set(
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
# Labels of the photos offered to try the page with, by the stem of their files.
_SAMPLES = {
    "blurred_portrait": text("Blurred portrait"),
    "group": text("Group photo"),
    "old_print": text("Old print"),
    "small_portrait": text("Small portrait"),
}
_WAYS_IN = Path(__file__).with_name("ways_in.js").read_text("utf-8")


class Page:
    """The layout: photos, results and settings over `batches`."""

    def __init__(
        self, page: gr.Blocks, batches: BatchStore, samples: list[Path], may_download: bool
    ) -> None:
        """Draw into `page`, whose context is open. samples: photos offered to try the page with.
        may_download: whether visitors may have the server download weights."""
        self._batches = batches
        self._samples = samples
        self._may_download = may_download
        self._draw()
        self._connect(page)

    @property
    def settings(self) -> Settings:
        """The widgets of the options, whose values are the API's defaults."""
        return self.choices.settings

    def _draw(self) -> None:
        gr.Markdown(text("# Photo enhancer"))
        with gr.Column(elem_id="layout"):
            with gr.Column(elem_id="photos"):
                gr.Markdown(
                    text(
                        "Restores faces and enlarges photos. Drop in a batch, and each photo "
                        "appears as soon as it is done."
                    ),
                    elem_id="about",
                )
                with gr.Row(elem_id="add"):
                    self.files = gr.File(
                        file_count="multiple",
                        file_types=list(EXTENSIONS),
                        label=text("Add photos"),
                        elem_id="files",
                    )
                    gr.Button(text("Choose a folder"), size="sm", elem_id="folder")
                gr.Markdown(
                    text(
                        "These could not be read and were left out. Check that you may open them:"
                    ),
                    elem_id="unread",
                )
                with gr.Column(elem_id="samples", visible=bool(self._samples)):
                    gr.Markdown(text("Or try one of these (public domain):"))
                    with gr.Row():
                        self.samples = {
                            gr.Button(_SAMPLES[path.stem], icon=str(path), min_width=120): path
                            for path in self._samples
                        }
                self.limits = gr.Markdown(elem_id="limits")
                self.gallery = gallery_widget()
            with gr.Column(elem_id="settings"):
                self.choices = SettingsPanel(self._batches, self._may_download)
            with gr.Column(elem_id="work"):
                self.actions = Actions(self._batches)
            with gr.Column(elem_id="results"):
                self.results = ResultsPanel(self._batches, self.gallery)

    def _connect(self, page: gr.Blocks) -> None:
        self.choices.connect(page, self.actions.key, self.actions.estimate)
        self.results.connect(self.actions.key)
        self.actions.connect(page, self.files, self.samples, self.choices, self.results)
        page.load(self._limits, None, self.limits, **QUICK)
        page.load(None, js=_WAYS_IN, **QUICK)

    def _limits(self, request: gr.Request) -> str:
        limits = self._batches.limits
        sentence = say(
            "Up to {photos} photos, {megabytes:.0f} MB and {megapixels:.0f} megapixels each.",
            photos=limits.max_photos,
            megabytes=limits.max_bytes / 1e6,
            megapixels=limits.max_pixels / 1e6,
        )
        return translated(sentence, language_of(request))
