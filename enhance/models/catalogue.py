"""Every model as data: what it is called, what it costs, which weights it has.

To add a model, add its weight file to `files` and a row to the table; a new architecture also needs
a loader in `enhance.pipeline.build`.
Files in the models folder become rows whenever models are listed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from enhance.i18n import Sentence, say
from enhance.models import files
from enhance.models.files import ModelFile, PackagedFile, WeightFile
from enhance.models.folder import Identity, identified

Kind = Literal["restorer", "background", "fill", "colorize", "detector", "masker"]
"""The option that a model is a value of; for "colorize", which is a strength, the first is used."""

FOLDER_KINDS: tuple[Kind, ...] = ("restorer", "background", "fill", "colorize")
"""The kinds of models that the models folder can hold."""


@dataclass(frozen=True)
class ModelSpec:
    """A model: a row of the table.

    name: the option's value, unique among all models. label: what the page calls it.
    about: when to use it. licence: of the weights, or of the code if there are none.
    architecture: which loader of `enhance.pipeline.build` makes it. weights: None if it has none.
    noncommercial: the licence forbids commercial use, or does not clearly allow it.
    generative: it makes up what it cannot see, as networks do that were trained to draw faces.
    cost: time per face (restorers) or per pixel of the photo (backgrounds), measured on a CPU, in
    units of what the bundled ×4 network takes per input pixel. Estimates start from it.
    auto: the types of devices on which "auto" may choose the model. It takes the first in the table
    that is allowed and whose weights are present.
    """

    kind: Kind
    name: str
    label: str
    about: str
    licence: str
    architecture: str = "spandrel"
    weights: WeightFile | PackagedFile | ModelFile | None = None
    cost: float = 0.0
    auto: tuple[str, ...] = ()
    noncommercial: bool = False
    generative: bool = False

    @property
    def warning(self) -> str:
        """What to know before using it commercially, or nothing."""
        return say("Not cleared for commercial use.") if self.noncommercial else ""


_OURS = "MIT"  # for code of this package without weights
_GPU = ("cuda", "mps")
_ANY = ("cpu", *_GPU)

_gfpgan = partial(
    ModelSpec,
    kind="restorer",
    architecture="gfpgan",
    licence=say(
        "Apache-2.0; its LICENSE file also includes NVIDIA's terms for StyleGAN2 "
        "(research or evaluation only) and those of DFDNet"
    ),
    noncommercial=True,
    cost=12_000,
    generative=True,
    auto=_ANY,
)

_TABLE = (
    _gfpgan(
        name="gfpgan-1.4",
        label=say("GFPGAN 1.4 (natural)"),
        about=say("Use it first: natural faces with the most detail, truest to the person."),
        weights=files.GFPGAN_14,
    ),
    _gfpgan(
        name="gfpgan-1.3",
        label="GFPGAN 1.3",
        about=say("Use it when 1.4 shows too much detail: natural, and calmer."),
        weights=files.GFPGAN_13,
    ),
    _gfpgan(
        name="gfpgan-1.2",
        label=say("GFPGAN 1.2 (sharpest)"),
        about=say("Use it when faces should be sharper still; they may look made up."),
        weights=files.GFPGAN_12,
    ),
    ModelSpec(
        kind="restorer",
        name="restoreformer",
        label="RestoreFormer",
        about=say(
            "Use it when GFPGAN changes a face too much: another kind of network, half as fast."
        ),
        weights=files.RESTOREFORMER,
        licence=say("not stated by its authors"),
        noncommercial=True,
        cost=30_000,
        generative=True,
        auto=_ANY,
    ),
    ModelSpec(
        kind="restorer",
        name="bundled",
        label=say("Bundled (fast)"),
        about=say("Use it without a download: natural faces, fast on any CPU."),
        architecture="face",
        weights=files.FACE,
        licence=files.FACE.licence,
        cost=600,
        auto=_ANY,
    ),
    ModelSpec(
        kind="background",
        name="lanczos",
        label=say("Plain resizing (instant)"),
        about=say("Use it when only the size should change: plain interpolation, instant."),
        architecture="interpolation",
        licence=_OURS,
        cost=0.0005,
    ),
    ModelSpec(
        kind="background",
        name="realesr-general-x4v3",
        label=say("Real-ESRGAN general (sharp, fast)"),
        about=say("Use it on a CPU: nearly as sharp as Real-ESRGAN ×4 plus, many times faster."),
        architecture="srvgg",
        weights=files.GENERAL_X4V3,
        licence="BSD-3-Clause",
        cost=0.07,
        auto=("cpu",),
    ),
    ModelSpec(
        kind="background",
        name="compact",
        label=say("Compact (clean, fast)"),
        about=say("Use it on a CPU: cleans the whole photo and keeps its detail, fast."),
        architecture="compact",
        weights=files.COMPACT,
        licence=files.COMPACT.licence,
        cost=0.015,
        auto=("cpu",),
    ),
    ModelSpec(
        kind="background",
        name="realesrgan-x2plus",
        label=say("Real-ESRGAN ×2 plus (sharp)"),
        about=say(
            "Use it on a GPU to double the resolution: sharp, a quarter of the work of ×4 plus."
        ),
        weights=files.X2PLUS,
        licence="BSD-3-Clause",
        cost=0.25,
    ),
    ModelSpec(
        kind="background",
        name="realesrgan",
        label=say("Real-ESRGAN ×4 plus (sharpest, slow on a CPU)"),
        about=say("Use it on a GPU for the sharpest results; slow on a CPU."),
        architecture="x4plus",
        weights=files.X4PLUS_BIN,
        licence=files.X4PLUS_BIN.licence,
        cost=1.0,
        auto=_GPU,
    ),
    ModelSpec(
        kind="fill",
        name="opencv",
        label=say("OpenCV (thin damage)"),
        about=say("Use it for scratches and specks: continues what is around them, instant."),
        architecture="telea",
        licence="Apache-2.0",
        auto=_ANY,
    ),
    ModelSpec(
        kind="detector",
        name="retinaface-mobilenet",
        label=say("RetinaFace MobileNet (fast)"),
        about=say("Use it for most photos: small and fast."),
        architecture="retinaface-mobilenet",
        weights=files.RETINAFACE_MOBILENET,
        licence=files.RETINAFACE_MOBILENET.licence,
    ),
    ModelSpec(
        kind="detector",
        name="retinaface-r50",
        label="RetinaFace ResNet-50",
        about=say("Use it when faces are missed, or to find them exactly as GFPGAN does."),
        architecture="retinaface-resnet50",
        weights=files.RETINAFACE_R50,
        licence="MIT",
    ),
    ModelSpec(
        kind="masker",
        name="feather",
        label=say("Feathered square"),
        about=say("Use it for most photos: blends a soft square around each face."),
        architecture="feather",
        licence=_OURS,
    ),
    ModelSpec(
        kind="masker",
        name="parsenet",
        label="ParseNet",
        about=say("Use it when hair should stay as it is: blends only what it recognizes as face."),
        architecture="parsenet",
        weights=files.PARSENET,
        licence=say("MIT as part of facexlib; derived from PSFRGAN (CC BY-NC-SA 4.0)"),
        noncommercial=True,
    ),
)

MODELS = {model.name: model for model in _TABLE}
"""All models by name; of each kind, those that "auto" prefers come first."""

# What spandrel says of a file in the models folder → what it is here.
_KINDS: dict[str, Kind] = {
    "FaceSR": "restorer",
    "Inpainting": "fill",
    "Colorization": "colorize",
}
_OWN_LOADERS = {"GFPGAN": "gfpgan", "Compact": "srvgg"}
_X4PLUS_PARAMETERS = 16_700_000  # of the network whose cost is 1; taken to be proportional


def models(kind: Kind) -> list[ModelSpec]:
    """The models of a kind, in the order of the table, then those of the models folder.

    A usable file in that folder has a row from now on, and a deleted one has none any more.
    """
    if kind in FOLDER_KINDS:
        # Their names have a file extension, so they cannot clash with the table's.
        rows = {file.path.name: _row(file, what) for file, what in identified().items()}
        for name, model in list(MODELS.items()):
            if isinstance(model.weights, ModelFile) and name not in rows:
                MODELS.pop(name, None)
        MODELS.update(rows)
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
    found = {name: MODELS[name].weights for name in chosen if name in MODELS}
    return {name: file for name, file in found.items() if isinstance(file, WeightFile)}


def _row(file: ModelFile, what: Identity) -> ModelSpec:
    """The row for a file in the models folder, named after the file."""
    kind = _KINDS.get(what.purpose, "background")
    return ModelSpec(
        kind=kind,
        name=file.path.name,
        label=file.path.name,
        about=_about(kind, what),
        architecture=_OWN_LOADERS.get(what.architecture, "spandrel"),
        weights=file,
        licence=say("unknown; ask whoever published the file"),
        cost=30_000 if kind == "restorer" else what.parameters / _X4PLUS_PARAMETERS,
        generative=kind == "restorer",
    )


def _about(kind: Kind, what: Identity) -> Sentence:
    architecture = what.architecture
    if kind == "restorer":
        return say("{architecture}: restores faces.", architecture=architecture)
    if kind == "fill":
        return say("{architecture}: fills in wide damage.", architecture=architecture)
    if kind == "colorize":
        return say("{architecture}: gives gray photos colors.", architecture=architecture)
    if what.scale == 1:
        return say("{architecture}: restores photos.", architecture=architecture)
    return say(
        "{architecture}: enlarges photos {scale} times.",
        architecture=architecture,
        scale=what.scale,
    )
