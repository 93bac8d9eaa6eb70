"""The options as widgets: one place that says what each is called, for the page and the API."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.errors import OptionsError
from enhance.records import UPSCALES, Options

DEFAULTS = Options()


class Settings:
    """The widgets of every option, drawn where this is made; `names` and `widgets` correspond."""

    def __init__(self) -> None:
        upscale = gr.Slider(
            min(UPSCALES),
            max(UPSCALES),
            value=DEFAULTS.upscale,
            step=1,
            label="Upscale",
            info="How many times larger the result is.",
        )
        restorer = gr.Dropdown(
            [
                ("Best there is", "auto"),
                ("GFPGAN 1.4 (natural)", "gfpgan-1.4"),
                ("GFPGAN 1.3", "gfpgan-1.3"),
                ("GFPGAN 1.2 (sharpest)", "gfpgan-1.2"),
                ("RestoreFormer", "restoreformer"),
                ("Bundled (Real-ESRGAN)", "bundled"),
                ("Leave faces alone", "none"),
            ],
            value=DEFAULTS.restorer,
            label="Faces",
            info="The model that restores faces.",
        )
        weight = gr.Slider(
            0,
            1,
            value=DEFAULTS.weight,
            step=0.05,
            label="Strength",
            info="0 keeps the faces as they are, 1 takes the restored ones.",
        )
        background = gr.Dropdown(
            [
                ("By device", "auto"),
                ("Plain enlargement (instant)", "lanczos"),
                ("Real-ESRGAN general (sharp, fast)", "realesr-general-x4v3"),
                ("Real-ESRGAN ×2 plus (sharp)", "realesrgan-x2plus"),
                ("Real-ESRGAN ×4 plus (sharpest, slow on a CPU)", "realesrgan"),
            ],
            value=DEFAULTS.background,
            label="Background",
            info="How everything around the faces is enlarged.",
        )
        with gr.Accordion("Advanced", open=False):
            faces = gr.Radio(
                [("All", "all"), ("Largest", "largest"), ("In the middle", "center")],
                value=DEFAULTS.faces,
                label="Which faces",
            )
            only_restore_blurred = gr.Checkbox(
                value=DEFAULTS.only_restore_blurred,
                label="Leave sharp faces alone",
            )
            detector = gr.Radio(
                [
                    ("RetinaFace MobileNet (fast)", "retinaface-mobilenet"),
                    ("RetinaFace ResNet-50", "retinaface-r50"),
                ],
                value=DEFAULTS.detector,
                label="Face detector",
                info="ResNet-50 is the one that GFPGAN uses.",
            )
            masker = gr.Radio(
                [("Soft square", "feather"), ("ParseNet", "parsenet")],
                value=DEFAULTS.masker,
                label="Blending of faces",
                info="ParseNet is the one that GFPGAN uses; it leaves hair alone.",
            )
            face_threshold = gr.Slider(
                0.01,
                0.99,
                value=DEFAULTS.face_threshold,
                step=0.01,
                label="Face threshold",
                info="Lower finds more faces, also false ones.",
            )
            min_face = gr.Slider(
                1,
                512,
                value=DEFAULTS.min_face,
                step=1,
                label="Smallest face",
                info="In pixels of the photo.",
            )
            tile = gr.Slider(
                32,
                4096,
                value=DEFAULTS.tile,
                step=32,
                label="Tile",
                info="Smaller needs less memory and takes longer.",
            )
            format_ = gr.Radio(
                [("As sent", "same"), ("JPEG", "jpeg"), ("PNG", "png"), ("WebP", "webp")],
                value=DEFAULTS.format,
                label="Format of the results",
            )
            quality = gr.Slider(
                1, 100, value=DEFAULTS.quality, step=1, label="Quality", info="Of JPEG and WebP."
            )
        self._by_name = {
            "upscale": upscale,
            "restorer": restorer,
            "weight": weight,
            "background": background,
            "faces": faces,
            "only_restore_blurred": only_restore_blurred,
            "detector": detector,
            "masker": masker,
            "face_threshold": face_threshold,
            "min_face": min_face,
            "tile": tile,
            "format": format_,
            "quality": quality,
        }

    @property
    def widgets(self) -> list[Any]:
        """The widgets, in the order that `options` takes their values."""
        return list(self._by_name.values())

    def options(self, *values: Any) -> Options:
        """Options from the widgets' values, in their order; whole numbers may come as 2.0.

        Raises OptionsError when one is out of range.
        """
        named = dict(zip(self._by_name, values, strict=True))
        for name in ("upscale", "min_face", "tile", "quality"):
            if named[name] != int(named[name]):
                raise OptionsError(f"{name} must be a whole number, not {named[name]}.")
            named[name] = int(named[name])
        return Options(**named)
