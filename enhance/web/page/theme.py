"""The page's colours: Gradio's own, where text can be read on them (a contrast of 4.5 or more)."""

from __future__ import annotations

import gradio as gr

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
