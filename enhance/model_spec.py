"""What there is to say about a model: a row of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from enhance.i18n import say
from enhance.weights.files import ModelFile, PackagedFile, WeightFile
from enhance.weights.folder import Identity

Kind = Literal["restorer", "background", "detector", "masker"]
"""The option whose value a model is."""

FOLDER_KINDS: tuple[Kind, ...] = ("restorer", "background")
"""What files in the models folder can be."""


@dataclass(frozen=True)
class ModelSpec:
    """A model: a row of the table.

    name: the option's value; no two models have the same. label: what the page calls it.
    architecture: which loader of `enhance.build` makes it. weights: None if it has none.
    licence: of the weights, or of the code if there are none.
    cost: what it takes per face (restorers) or per pixel of the photo (backgrounds), in input
    pixels of the bundled ×4 network, measured on a CPU; the start of an estimate that learns.
    auto: the types of devices on which "auto" may choose it: the first in the table that may, and
    whose weights are there, is taken.
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


# The architectures that have a loader of their own, by spandrel's names.
_OWN_LOADERS = {"GFPGAN": "gfpgan", "ESRGAN": "rrdbnet", "Compact": "srvgg"}
_X4PLUS_PARAMETERS = 16_700_000  # at a cost of 1; the more parameters, the more a pixel takes


def spec_of(file: ModelFile, what: Identity) -> ModelSpec:
    """The row of a file in the models folder, called by its name."""
    if what.faces:
        about = say("{architecture}: restores faces.", architecture=what.architecture)
    elif what.scale == 1:
        about = say("{architecture}: restores photos.", architecture=what.architecture)
    else:
        about = say(
            "{architecture}: enlarges photos {scale} times.",
            architecture=what.architecture,
            scale=what.scale,
        )
    return ModelSpec(
        kind="restorer" if what.faces else "background",
        name=file.path.name,
        label=file.path.name,
        about=about,
        architecture=_OWN_LOADERS.get(what.architecture, "spandrel"),
        weights=file,
        licence=say("that of whoever made this file; not known here"),
        cost=30_000 if what.faces else what.parameters / _X4PLUS_PARAMETERS,
    )
