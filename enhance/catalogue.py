"""Every model as data: what it is called, what it costs, where its weights are.

To add a model, add a row to the table; a new architecture also needs a loader in `enhance.build`.
Files in the models folder become rows whenever models are listed.
"""

from __future__ import annotations

from collections.abc import Iterable

from enhance.i18n import say
from enhance.model_spec import FOLDER_KINDS, Kind, ModelSpec, spec_of
from enhance.weights.files import COMPACT, RETINAFACE_MOBILENET, X4PLUS_BIN, ModelFile, WeightFile
from enhance.weights.folder import identified

_GFPGAN = "https://github.com/TencentARC/GFPGAN/releases/download"
_REALESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download"

_GFPGAN_LICENCE = say(
    "Apache-2.0; its LICENSE file also includes NVIDIA's terms for StyleGAN2 "
    "(research or evaluation only) and those of DFDNet"
)
_OURS = "MIT"  # for code of this package without weights
_GPU = ("cuda", "mps")
_ANY = ("cpu", *_GPU)

_TABLE = (
    ModelSpec(
        kind="restorer",
        name="gfpgan-1.4",
        label=say("GFPGAN 1.4 (natural)"),
        about=say("Use it first: natural faces with the most detail, truest to the person."),
        architecture="gfpgan",
        weights=WeightFile(
            filename="GFPGANv1.4.pth",
            urls=(
                f"{_GFPGAN}/v1.3.0/GFPGANv1.4.pth",
                "hf://leonelhs/gfpgan/GFPGANv1.4.pth",
                "hf://datasets/Gourieff/ReActor/models/facerestore_models/GFPGANv1.4.pth",
            ),
            size=348632874,
            sha256="e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
        ),
        licence=_GFPGAN_LICENCE,
        noncommercial=True,
        cost=12_000,
        auto=_ANY,
    ),
    ModelSpec(
        kind="restorer",
        name="gfpgan-1.3",
        label="GFPGAN 1.3",
        about=say("Use it when 1.4 shows too much detail: natural, and calmer."),
        architecture="gfpgan",
        weights=WeightFile(
            filename="GFPGANv1.3.pth",
            urls=(
                f"{_GFPGAN}/v1.3.0/GFPGANv1.3.pth",
                "hf://leonelhs/gfpgan/GFPGANv1.3.pth",
                "hf://datasets/Gourieff/ReActor/models/facerestore_models/GFPGANv1.3.pth",
            ),
            size=348632874,
            sha256="c953a88f2727c85c3d9ae72e2bd4846bbaf59fe6972ad94130e23e7017524a70",
        ),
        licence=_GFPGAN_LICENCE,
        noncommercial=True,
        cost=12_000,
        auto=_ANY,
    ),
    ModelSpec(
        kind="restorer",
        name="gfpgan-1.2",
        label=say("GFPGAN 1.2 (sharpest)"),
        about=say("Use it when faces should be sharper still; they may look made up."),
        architecture="gfpgan",
        weights=WeightFile(
            filename="GFPGANv1.2.pth",
            urls=(f"{_GFPGAN}/v1.3.0/GFPGANv1.2.pth", "hf://leonelhs/gfpgan/GFPGANv1.2.pth"),
            size=348632874,
            sha256="29e25ee90c170f4231163f4c83df6b59c968b73f3ce00cb884015ae005db083c",
        ),
        licence=_GFPGAN_LICENCE,
        noncommercial=True,
        cost=12_000,
        auto=_ANY,
    ),
    ModelSpec(
        kind="restorer",
        name="restoreformer",
        label="RestoreFormer",
        about=say(
            "Use it when GFPGAN changes a face too much: another kind of network, half as fast."
        ),
        architecture="spandrel",
        weights=WeightFile(
            filename="RestoreFormer.pth",
            urls=(
                f"{_GFPGAN}/v1.3.4/RestoreFormer.pth",
                "hf://leonelhs/gfpgan/RestoreFormer.pth",
                "hf://martintomov/comfy/facerestore_models/RestoreFormer.pth",
            ),
            size=290785322,
            sha256="07404d446d62ca3d5ed38b1de09a947a1e77d46dbccec961a74d713a8f24ace0",
        ),
        licence=say("not stated by its authors"),
        noncommercial=True,
        cost=30_000,
        auto=_ANY,
    ),
    ModelSpec(
        kind="restorer",
        name="bundled",
        label=say("Bundled (Real-ESRGAN)"),
        about=say(
            "Use it when nothing can be downloaded: cleans and sharpens faces, invents little."
        ),
        architecture="rrdbnet",
        weights=X4PLUS_BIN,
        licence=X4PLUS_BIN.licence,
        cost=22_500,
        auto=_ANY,
    ),
    ModelSpec(
        kind="background",
        name="lanczos",
        label=say("Plain resizing (instant)"),
        about=say("Use it when only the size should change: plain interpolation, instant."),
        architecture="interpolation",
        weights=None,
        licence=_OURS,
        cost=0.0005,
    ),
    ModelSpec(
        kind="background",
        name="realesr-general-x4v3",
        label=say("Real-ESRGAN general (sharp, fast)"),
        about=say("Use it on a CPU: nearly as sharp as Real-ESRGAN ×4 plus, many times faster."),
        architecture="srvgg",
        weights=WeightFile(
            filename="realesr-general-x4v3.pth",
            urls=(
                f"{_REALESRGAN}/v0.2.5.0/realesr-general-x4v3.pth",
                "hf://leonelhs/gfpgan/realesr-general-x4v3.pth",
            ),
            size=4885111,
            sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        ),
        licence="BSD-3-Clause",
        cost=0.07,
        auto=("cpu",),
    ),
    ModelSpec(
        kind="background",
        name="compact",
        label=say("Real-ESRGAN compact, distilled (clean, fast)"),
        about=say(
            "Use it on a CPU when nothing can be downloaded: cleans the whole photo in seconds."
        ),
        architecture="srvgg",
        weights=COMPACT,
        licence=COMPACT.licence,
        cost=0.03,
        auto=("cpu",),
    ),
    ModelSpec(
        kind="background",
        name="realesrgan-x2plus",
        label=say("Real-ESRGAN ×2 plus (sharp)"),
        about=say(
            "Use it on a GPU to double the resolution: sharp, a quarter of the work of ×4 plus."
        ),
        architecture="rrdbnet",
        weights=WeightFile(
            filename="RealESRGAN_x2plus.pth",
            urls=(
                f"{_REALESRGAN}/v0.2.1/RealESRGAN_x2plus.pth",
                "hf://LykosAI/Upscalers/RealESRGAN/RealESRGAN_x2plus.pth",
            ),
            size=67061725,
            sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        ),
        licence="BSD-3-Clause",
        cost=0.25,
    ),
    ModelSpec(
        kind="background",
        name="realesrgan",
        label=say("Real-ESRGAN ×4 plus (sharpest, slow on a CPU)"),
        about=say("Use it on a GPU for the sharpest results; slow on a CPU."),
        architecture="rrdbnet",
        weights=X4PLUS_BIN,
        licence=X4PLUS_BIN.licence,
        cost=1.0,
        auto=_GPU,
    ),
    ModelSpec(
        kind="fill",
        name="opencv",
        label=say("OpenCV (thin damage)"),
        about=say("Use it for scratches and specks: continues what is around them, instant."),
        architecture="telea",
        weights=None,
        licence="Apache-2.0",
        auto=_ANY,
    ),
    ModelSpec(
        kind="detector",
        name="retinaface-mobilenet",
        label=say("RetinaFace MobileNet (fast)"),
        about=say("Use it for most photos: small and fast."),
        architecture="retinaface-mobilenet",
        weights=RETINAFACE_MOBILENET,
        licence=RETINAFACE_MOBILENET.licence,
    ),
    ModelSpec(
        kind="detector",
        name="retinaface-r50",
        label="RetinaFace ResNet-50",
        about=say("Use it when faces are missed, or to find them exactly as GFPGAN does."),
        architecture="retinaface-resnet50",
        weights=WeightFile(
            filename="detection_Resnet50_Final.pth",
            urls=(
                f"{_FACEXLIB}/v0.1.0/detection_Resnet50_Final.pth",
                "hf://leonelhs/facexlib/detection_Resnet50_Final.pth",
            ),
            size=109497761,
            sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf31840b0a5a16d",
        ),
        licence="MIT",
    ),
    ModelSpec(
        kind="masker",
        name="feather",
        label=say("Feathered square"),
        about=say("Use it for most photos: blends a soft square around each face."),
        architecture="feather",
        weights=None,
        licence=_OURS,
    ),
    ModelSpec(
        kind="masker",
        name="parsenet",
        label="ParseNet",
        about=say("Use it when hair should stay as it is: blends only what it recognises as face."),
        architecture="parsenet",
        weights=WeightFile(
            filename="parsing_parsenet.pth",
            urls=(
                f"{_FACEXLIB}/v0.2.2/parsing_parsenet.pth",
                "hf://leonelhs/facexlib/parsing_parsenet.pth",
            ),
            size=85331193,
            sha256="3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
        ),
        licence=say("MIT as part of facexlib; derived from PSFRGAN (CC BY-NC-SA 4.0)"),
        noncommercial=True,
    ),
)

MODELS = {model.name: model for model in _TABLE}
"""All models by name; of each kind, those that "auto" prefers come first."""


def models(kind: Kind) -> list[ModelSpec]:
    """The models of a kind, in the order of the table, then those of the models folder."""
    if kind in FOLDER_KINDS:
        _refresh()
    return [model for model in list(MODELS.values()) if model.kind == kind]


def option_values(kind: Kind) -> list[str]:
    """The values of this option: names of models, and "auto" or "none" where they are allowed."""
    rows = models(kind)
    automatic = ["auto"] if any(model.auto for model in rows) else []
    without = ["none"] if kind == "restorer" else []
    return [*automatic, *(model.name for model in rows), *without]


def weight_files(names: Iterable[str] | None = None) -> dict[str, WeightFile]:
    """The downloadable weight files of these models, or of all models, by model name."""
    chosen = MODELS if names is None else names
    files = {name: MODELS[name].weights for name in chosen if name in MODELS}
    return {name: file for name, file in files.items() if isinstance(file, WeightFile)}


def _refresh() -> None:
    """Make a row for each usable file in the models folder, and drop the rows of deleted files.

    Their names have a file extension, so they cannot clash with the table's.
    """
    rows = {file.path.name: spec_of(file, what) for file, what in identified().items()}
    for name, model in list(MODELS.items()):
        if isinstance(model.weights, ModelFile) and name not in rows:
            MODELS.pop(name, None)
    MODELS.update(rows)
