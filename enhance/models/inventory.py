"""The models that can be chosen: their licences, and whether they are on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict, get_args

from enhance.errors import WeightsMissing
from enhance.models.catalogue import Kind, ModelSpec, models
from enhance.models.files import ModelFile, PackagedFile, WeightFile


class Model(TypedDict):
    """A value of the option that `kind` names.

    about, noncommercial: see `ModelSpec`. bundled: comes with the packages. present: can be used
    now. bytes: of its weights; 0 if none.
    """

    kind: Kind
    name: str
    about: str
    licence: str
    noncommercial: bool
    bytes: int
    bundled: bool
    present: bool


def inventory() -> Iterator[Model]:
    """All models by kind, in the order in which the options list them."""
    for kind in get_args(Kind):
        for model in models(kind):
            yield Model(
                kind=kind,
                name=model.name,
                about=model.about,
                licence=model.licence,
                noncommercial=model.noncommercial,
                bytes=model.weights.size if model.weights else 0,
                bundled=model.weights is None or isinstance(model.weights, PackagedFile),
                present=is_present(model),
            )


def is_present(model: ModelSpec, explicit: Path | None = None) -> bool:
    """Whether the model can be used now. explicit: see `Setup.weights`."""
    return not isinstance(model.weights, WeightFile) or model.weights.locate(explicit) is not None


def weights_path(model: ModelSpec, explicit: Path | None) -> Path:
    """The path of a model's weight file, verified if it comes from a download.

    Never downloads; raises WeightsMissing, which says how to get the file.
    """
    if isinstance(model.weights, ModelFile):
        return model.weights.path
    assert isinstance(model.weights, WeightFile)
    path = model.weights.locate(explicit)
    if path is None:
        raise WeightsMissing(
            "The weights of {name} ({megabytes:.0f} MB) are not on this machine. "
            "Whoever runs it can download them with: python -m enhance fetch {name}",
            name=model.name,
            megabytes=model.weights.size / 1e6,
        )
    return path
