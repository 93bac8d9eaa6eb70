"""Kinds of widgets that several options share."""

from __future__ import annotations

import gradio as gr

from enhance.models.catalogue import Kind, models, option_values
from enhance.options import Switch
from enhance.web.language import Language, text, translated

# Labels of the values that are no models.
_OTHERS: dict[Kind, dict[str, str]] = {
    "restorer": {"auto": text("Best available"), "none": text("Do not restore faces")},
    "background": {"auto": text("Automatic")},
    "fill": {"auto": text("Automatic")},
    "detector": {},
    "masker": {},
}


def model_choices(kind: Kind, language: Language = "en") -> list[tuple[str, str]]:
    """Labels and values of an option whose values are models, as they are now."""
    labels = _OTHERS[kind] | {model.name: model.label for model in models(kind)}
    return [(translated(labels[value], language), value) for value in option_values(kind)]


def group(title: str) -> gr.Accordion:
    """A fold of the settings."""
    return gr.Accordion(title, open=False)


def share(value: float, label: str, info: str, visible: bool = True) -> gr.Slider:
    """For a strength from 0 to 1."""
    return gr.Slider(0, 1, value=value, step=0.05, label=label, info=info, visible=visible)


def switch(value: Switch, label: str, info: str) -> gr.Radio:
    """For a step that is off or chosen automatically."""
    choices = [(text("Off"), "off"), (text("Automatic"), "auto")]
    return gr.Radio(choices, value=value, label=label, info=info)
