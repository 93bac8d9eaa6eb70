"""The options as widgets, shared by the page and the API, and in the page's address."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr

from enhance.errors import OptionsError
from enhance.models.catalogue import FOLDER_KINDS, models
from enhance.names import LONGEST
from enhance.option_spec import OptionSpec
from enhance.options import GROUPS, OPTIONS, Options, renamed
from enhance.web.language import Language, translated

# A link opens the page with the settings in its address; but whoever follows it keeps their own
# choice of what is kept of a photo's metadata.
_IN_ADDRESS = [name for name in OPTIONS if name != "metadata"]


def draw_options() -> tuple[dict[str, Any], gr.HTML]:
    """Draw a widget for each option. Returns them by the options' names, in the order of `OPTIONS`,
    and a widget for an example of how results are named."""
    drawn = {}
    for group in GROUPS:
        with gr.Accordion(group, open=False):
            for name, spec in OPTIONS.items():
                if spec.group == group:
                    drawn[name] = _widget(spec)
            if group == OPTIONS["name"].group:
                example = gr.HTML(elem_id="name_example")
    return {name: drawn[name] for name in OPTIONS}, example


def options_from(values: Iterable[Any], names: Iterable[str] = OPTIONS) -> Options:
    """Options from a value for each name; empty ones mean the default.

    Raises OptionsError if a value is out of range or of the wrong type.
    """
    named = zip(names, values, strict=True)
    return Options(**{name: value for name, value in named if value not in (None, "")})


def updates(options: Options | None, language: Language) -> list[Any]:
    """What the widgets become on a page that has just been opened: the values of these options, or
    as they are, and the models that there are now."""
    return [
        gr.update(
            **({"value": getattr(options, name)} if options else {}),
            **_of_the_folder(spec, language),
        )
        for name, spec in OPTIONS.items()
    ]


def query_of(options: Options) -> str:
    """The query of an address, with what differs from the defaults; empty if nothing does. Never
    photos."""
    values = {name: getattr(options, name) for name in _IN_ADDRESS}
    chosen = {name: value for name, value in values.items() if value != OPTIONS[name].default}
    return f"?{urlencode(chosen)}" if chosen else ""


def from_query(query: object) -> dict[str, Any]:
    """The options in an address, unchecked but of the right types; others are left out."""
    found: dict[str, Any] = {}
    said = dict(parse_qsl(query.removeprefix("?")[:2000])) if isinstance(query, str) else {}
    for name, value in renamed(said).items():
        if name in _IN_ADDRESS:
            with suppress(OptionsError):
                found[name] = OPTIONS[name].read(value)
    return found


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
    # `Options` checks it, with the models folder as it is then.
    widget.preprocess = lambda payload: payload
    schema = widget.api_info() | {"description": spec.description}
    if not spec.values:
        schema.pop("enum", None)  # the usual values are not all
    if spec.most is not None:
        schema |= {"minimum": spec.least, "maximum": spec.most}
    widget.api_info = schema.copy
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
