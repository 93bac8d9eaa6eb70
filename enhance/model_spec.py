"""Describes a model: a row of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from enhance.i18n import say
from enhance.weights.files import ModelFile, PackagedFile, WeightFile
from enhance.weights.folder import Identity

Kind = Literal["restorer", "background", "fill", "colorize", "detector", "masker"]
"""The option that a model is a value of; for "colorize", which is a strength, the first is used."""

FOLDER_KINDS: tuple[Kind, ...] = ("restorer", "background", "fill", "colorize")
"""The kinds of models that the models folder can hold."""


@dataclass(frozen=True)
class ModelSpec:
    """A model: a row of the table.

    name: the option's value, unique among all models. label: what the page calls it.
    architecture: which loader of `enhance.build` makes it. weights: None if it has none.
    about: when to use it. licence: of the weights, or of the code if there are none.
    noncommercial: the licence forbids commercial use, or does not clearly allow it.
    cost: time per face (restorers) or per pixel of the photo (backgrounds), measured on a CPU, in
    units of what the bundled ×4 network takes per input pixel. Estimates start from it.
    auto: the types of devices on which "auto" may choose the model. It takes the first in the table
    that is allowed and whose weights are present.
    """

    kind: Kind
    name: str
    label: str
    about: str
    architecture: str
    weights: WeightFile | PackagedFile | ModelFile | None
    licence: str
    cost: float = 0.0
    auto: tuple[str, ...] = ()
    noncommercial: bool = False

    @property
    def warning(self) -> str:
        """What to know before using it commercially, or nothing."""
        return say("Not cleared for commercial use.") if self.noncommercial else ""


# Spandrel's name of each architecture that has its own loader → `ModelSpec.architecture`.
_OWN_LOADERS = {"GFPGAN": "gfpgan", "ESRGAN": "rrdbnet", "Compact": "srvgg"}
_X4PLUS_PARAMETERS = 16_700_000  # of the network whose cost is 1; taken to be proportional


_KINDS: dict[str, Kind] = {
    "FaceSR": "restorer",
    "Inpainting": "fill",
    "Colorization": "colorize",
}


def spec_of(file: ModelFile, what: Identity) -> ModelSpec:
    """The row for a file in the models folder, named after the file."""
    kind = _KINDS.get(what.purpose, "background")
    if kind == "restorer":
        about = say("{architecture}: restores faces.", architecture=what.architecture)
    elif kind == "fill":
        about = say("{architecture}: fills in wide damage.", architecture=what.architecture)
    elif kind == "colorize":
        about = say("{architecture}: gives grey photos colours.", architecture=what.architecture)
    elif what.scale == 1:
        about = say("{architecture}: restores photos.", architecture=what.architecture)
    else:
        about = say(
            "{architecture}: enlarges photos {scale} times.",
            architecture=what.architecture,
            scale=what.scale,
        )
    return ModelSpec(
        kind=kind,
        name=file.path.name,
        label=file.path.name,
        about=about,
        architecture=_OWN_LOADERS.get(what.architecture, "spandrel"),
        weights=file,
        licence=say("unknown; ask whoever published the file"),
        cost=30_000 if kind == "restorer" else what.parameters / _X4PLUS_PARAMETERS,
    )
