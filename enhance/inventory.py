"""All models that can be chosen, with their licences and whether they are on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict, get_args

from enhance.automatic import is_present
from enhance.catalogue import models
from enhance.model_spec import Kind
from enhance.weights.files import PackagedFile


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
