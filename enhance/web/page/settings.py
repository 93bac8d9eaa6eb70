"""The options as widgets, shared by the page and the API."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.models.catalogue import FOLDER_KINDS, models
from enhance.names import LONGEST
from enhance.option_spec import OptionSpec
from enhance.options import GROUPS, OPTIONS, Options
from enhance.web.language import Language, translated


class Settings:
    """A widget for each option, drawn on construction; `names` and `widgets` correspond."""

    def __init__(self) -> None:
        drawn = {}
        for group in GROUPS:
            with gr.Accordion(group, open=False):
                for name, spec in OPTIONS.items():
                    if spec.group == group:
                        drawn[name] = _widget(spec)
                if group == OPTIONS["name"].group:
                    self.example = gr.HTML(elem_id="name_example")
        self._by_name = {name: drawn[name] for name in OPTIONS}

    @property
    def widgets(self) -> list[Any]:
        """The widgets, in the order that `options` takes their values."""
        return list(self._by_name.values())

    @property
    def names(self) -> list[str]:
        """The options' names, in the same order."""
        return list(self._by_name)

    def values(self, options: Options) -> list[Any]:
        """The widgets' values for these options."""
        return [getattr(options, name) for name in self._by_name]

    def updates(self, options: Options | None, language: Language) -> list[Any]:
        """What the widgets become on a page that has just been opened: the values of these
        options, or as they are, and the models that there are now."""
        values = {name: {"value": getattr(options, name)} for name in OPTIONS if options}
        return [
            gr.update(**values.get(name, {}), **_of_the_folder(spec, language))
            for name, spec in OPTIONS.items()
        ]

    def options(self, *values: Any) -> Options:
        """Options from the widgets' values, in their order; an empty field means the default.

        Raises OptionsError if a value is out of range or of the wrong type.
        """
        return options_from(dict(zip(self._by_name, values, strict=True)))


def options_from(values: dict[str, Any]) -> Options:
    """Options from values by name, of which empty ones mean the default. Raises OptionsError."""
    return Options(**{name: value for name, value in values.items() if value not in (None, "")})


def _widget(spec: OptionSpec) -> Any:
    shown = {"value": spec.default, "label": spec.label, "info": spec.help or None}
    shown |= _of_the_folder(spec)
    widget: Any
    if isinstance(spec.default, bool):
        widget = gr.Checkbox(**shown)
    elif spec.kind in FOLDER_KINDS:
        widget = gr.Dropdown(**shown)
    elif spec.check and spec.words:
        widget = gr.Dropdown(_choices(spec), allow_custom_value=True, **shown)
    elif spec.values:
        widget = gr.Radio(_choices(spec), **shown)
    elif spec.most is None:
        widget = gr.Textbox(max_length=LONGEST, max_lines=1, **shown)
    else:
        widget = gr.Slider(spec.least, spec.most, step=spec.step, **shown)
    widget.preprocess = _as_sent  # `Options` checks it, with the models folder as it is then
    schema = widget.api_info()
    if not spec.values:
        schema.pop("enum", None)  # the usual values are not all
    widget.api_info = lambda: schema | _described(spec)
    return widget


def _choices(spec: OptionSpec, language: Language = "en") -> list[tuple[str, str]]:
    """Labels and values, as they are now."""
    labels = dict(spec.words)
    if spec.kind:
        labels |= {model.name: model.label for model in models(spec.kind)}
    return [(translated(labels[value], language), value) for value in spec.values or spec.words]


def _of_the_folder(spec: OptionSpec, language: Language = "en") -> dict[str, Any]:
    """What depends on the models folder as it is now."""
    if spec.name == "colorize":
        return {"visible": bool(models("colorize"))}
    return {"choices": _choices(spec, language)} if spec.kind in FOLDER_KINDS else {}


def _described(spec: OptionSpec) -> dict[str, Any]:
    """What JSON schema says of an API's parameter beside its type."""
    if spec.most is None:
        return {"description": spec.description}
    return {"description": spec.description, "minimum": spec.least, "maximum": spec.most}


def _as_sent(payload: Any) -> Any:
    return payload
