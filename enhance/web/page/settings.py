"""The options as widgets: their names, ranges and labels, shared by the page and the API."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.errors import OptionsError
from enhance.i18n import say
from enhance.models.catalogue import FOLDER_KINDS, models
from enhance.name_pattern import LONGEST
from enhance.options import LONGEST_SIDE, UPSCALES, Options
from enhance.web.language import Language, text
from enhance.web.page.option_widgets import group, model_choices, share, switch

DEFAULTS = Options()
_OF_THE_FOLDER = [kind for kind in FOLDER_KINDS if kind != "colorize"]  # that is a strength


class Settings:
    """A widget for each option, drawn on construction; `names` and `widgets` correspond."""

    def __init__(self) -> None:
        with group(text("Faces")):
            restorer = gr.Dropdown(
                model_choices("restorer"),
                value=DEFAULTS.restorer,
                label=text("Faces"),
                info=text("The model that restores faces."),
            )
            weight = share(
                DEFAULTS.weight,
                text("Strength"),
                text("0 keeps the original faces, 1 uses the restored ones."),
            )
            faces = gr.Radio(
                [
                    (text("All"), "all"),
                    (text("Largest"), "largest"),
                    (text("Closest to the centre"), "center"),
                ],
                value=DEFAULTS.faces,
                label=text("Faces to restore"),
            )
            only_restore_blurred = gr.Checkbox(
                value=DEFAULTS.only_restore_blurred,
                label=text("Skip faces that are already sharp"),
            )
            face_colours = gr.Radio(
                [(text("As in the photo"), "photo"), (text("As the model renders them"), "model")],
                value=DEFAULTS.face_colours,
                label=text("Face colours"),
            )
            detector = gr.Radio(
                model_choices("detector"),
                value=DEFAULTS.detector,
                label=text("Face detector"),
                info=text("GFPGAN itself uses ResNet-50."),
            )
            masker = gr.Radio(
                model_choices("masker"),
                value=DEFAULTS.masker,
                label=text("Face blending"),
                info=text("GFPGAN itself uses ParseNet, which leaves hair untouched."),
            )
            face_threshold = gr.Slider(
                0.01,
                0.99,
                value=DEFAULTS.face_threshold,
                step=0.01,
                label=text("Detection threshold"),
                info=text("Lower values find more faces, but also more false ones."),
            )
            min_face = gr.Slider(
                1,
                512,
                value=DEFAULTS.min_face,
                step=1,
                label=text("Smallest face"),
                info=text("In pixels of the original photo."),
            )
        with group(text("Background")):
            background = gr.Dropdown(
                model_choices("background"),
                value=DEFAULTS.background,
                label=text("Background"),
                info=text("How everything around the faces is enlarged."),
            )
            background_weight = share(
                DEFAULTS.background_weight,
                text("Background strength"),
                text("0 keeps the background's grain, 1 removes it."),
            )
            working_size = gr.Radio(
                [(text("Automatic"), "auto"), (text("Full size"), "full")],
                value=DEFAULTS.working_size,
                label=text("Working size"),
                info=text(
                    "Real-ESRGAN ×4 plus works on blurry areas at a reduced size: faster and "
                    "cleaner."
                ),
            )
            tile = gr.Slider(
                32,
                4096,
                value=DEFAULTS.tile,
                step=32,
                label=text("Tile size"),
                info=text("Smaller tiles need less memory but take longer."),
            )
        with group(text("Old photos")):
            repair = switch(
                DEFAULTS.repair,
                text("Repair damage"),
                text("Finds scratches, creases, dust and specks, and fills them in."),
            )
            repair_sensitivity = share(
                DEFAULTS.repair_sensitivity,
                text("Sensitivity of the repair"),
                text("0 repairs only what is certainly damage, 1 what is likely to be."),
            )
            fill = gr.Dropdown(
                model_choices("fill"),
                value=DEFAULTS.fill,
                label=text("Filling"),
                info=text("What fills in the damage."),
            )
            tone = switch(
                DEFAULTS.tone,
                text("Restore faded colours"),
                text("Undoes the fading and the colour cast of old prints."),
            )
            tone_strength = share(
                DEFAULTS.tone_strength,
                text("Strength of colour restoration"),
                text("0 leaves the colours as they are, 1 undoes their fading completely."),
            )
            colorize = share(
                DEFAULTS.colorize,
                text("Colourise grey photos"),
                text("How strong the colours are; 0 leaves grey photos grey."),
                visible=bool(models("colorize")),
            )
        with group(text("Size and file")):
            upscale = gr.Slider(
                min(UPSCALES),
                max(UPSCALES),
                value=DEFAULTS.upscale,
                step=0.25,
                label=text("Upscale"),
                info=text("How many times larger the result is; below 1, it is smaller."),
            )
            longer_side = gr.Number(
                value=DEFAULTS.longer_side,
                minimum=0,
                maximum=LONGEST_SIDE,
                step=1,
                label=text("Longer side in pixels"),
                info=text("A target size instead of the factor above; 0 uses the factor."),
            )
            format_ = gr.Radio(
                [
                    (text("Same as the original"), "same"),
                    ("JPEG", "jpeg"),
                    ("PNG", "png"),
                    ("WebP", "webp"),
                ],
                value=DEFAULTS.format,
                label=text("Output format"),
            )
            quality = gr.Slider(
                1,
                100,
                value=DEFAULTS.quality,
                step=1,
                label=text("Quality"),
                info=text("For JPEG, WebP, HEIC and AVIF."),
            )
            metadata = gr.Radio(
                [
                    (text("Keep all"), "keep"),
                    (text("Remove the location"), "no-location"),
                    (text("Remove all"), "strip"),
                ],
                value=DEFAULTS.metadata,
                label=text("Metadata (date, camera, location)"),
                info=text("What the photo's file contains besides the image."),
            )
            name = gr.Textbox(
                value=DEFAULTS.name,
                max_length=LONGEST,
                max_lines=1,
                label=text("File name"),
                info=text(
                    "For photos that are enhanced from now on. {stem} is the photo's name, "
                    "{index} its number; also {upscale}, {restorer} and {background}."
                ),
            )
            self.example = gr.HTML(elem_id="name_example")
        self._by_name = {
            "upscale": upscale,
            "longer_side": longer_side,
            "restorer": restorer,
            "weight": weight,
            "background": background,
            "background_weight": background_weight,
            "working_size": working_size,
            "face_colours": face_colours,
            "repair": repair,
            "repair_sensitivity": repair_sensitivity,
            "fill": fill,
            "tone": tone,
            "tone_strength": tone_strength,
            "colorize": colorize,
            "faces": faces,
            "only_restore_blurred": only_restore_blurred,
            "detector": detector,
            "masker": masker,
            "face_threshold": face_threshold,
            "min_face": min_face,
            "tile": tile,
            "format": format_,
            "quality": quality,
            "metadata": metadata,
            "name": name,
        }
        # Options say what a model may be, with the models folder as it is then.
        for kind in _OF_THE_FOLDER:
            self._by_name[kind].preprocess = _as_sent  # type: ignore[method-assign]

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
        values = {name: {"value": getattr(options, name)} for name in self._by_name if options}
        now: dict[str, Any] = {
            name: {"choices": model_choices(name, language)} for name in _OF_THE_FOLDER
        } | {"colorize": {"visible": bool(models("colorize"))}}
        return [gr.update(**values.get(name, {}), **now.get(name, {})) for name in self._by_name]

    def options(self, *values: Any) -> Options:
        """Options from the widgets' values, in their order; whole numbers may arrive as 2.0.

        Raises OptionsError if a value is out of range or of the wrong type.
        """
        named = dict(zip(self._by_name, values, strict=True))
        if named["longer_side"] is None:  # the field is empty
            named["longer_side"] = 0
        if named["name"] == "":
            named["name"] = DEFAULTS.name
        for name, widget in self._by_name.items():
            if isinstance(widget, gr.Checkbox):
                named[name] = bool(named[name])
            elif isinstance(widget, gr.Slider | gr.Number) and not _within(named[name], widget):
                raise OptionsError(
                    say(
                        "{name} must be a number from {least} to {most}, not {value!r}.",
                        name=name,
                        least=widget.minimum,
                        most=widget.maximum,
                        value=named[name],
                    )
                )
        if named["upscale"] == int(named["upscale"]):
            named["upscale"] = int(named["upscale"])  # as the command has it
        for name in ("longer_side", "min_face", "tile", "quality"):
            if named[name] != int(named[name]):
                raise OptionsError(
                    say(
                        "{name} must be a whole number, not {value}.",
                        name=name,
                        value=named[name],
                    )
                )
            named[name] = int(named[name])
        return Options(**named)


def _as_sent(payload: Any) -> Any:
    return payload


def _within(value: object, widget: gr.Slider | gr.Number) -> bool:
    assert widget.minimum is not None and widget.maximum is not None
    return isinstance(value, int | float) and widget.minimum <= value <= widget.maximum
