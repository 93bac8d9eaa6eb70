"""Every model that can be chosen: what it is, its licence, and whether it is on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypedDict, get_args

from enhance.catalogue import CATALOGUE
from enhance.records import Background, Detector, Masker, Restorer
from enhance.verified import locate
from enhance.weights import COMPACT, RETINAFACE_MOBILENET, X4PLUS_BIN

Kind = Literal["restorer", "background", "detector", "masker"]

_CHOICES = {"restorer": Restorer, "background": Background, "detector": Detector, "masker": Masker}
_NO_MODEL = ("auto", "none")


class Model(TypedDict):
    """A value of the option that `kind` names.

    bundled: needs no download. present: can be used now. bytes: of its weights; 0 without any.
    """

    kind: Kind
    name: str
    about: str
    licence: str
    bytes: int
    bundled: bool
    present: bool


def _bundled(kind: Kind, name: str, about: str, licence: str, size: int = 0) -> Model:
    return Model(
        kind=kind,
        name=name,
        about=about,
        licence=licence,
        bytes=size,
        bundled=True,
        present=True,
    )


_OURS = "MIT"  # no weights, only code of this package
_X4PLUS = (X4PLUS_BIN.licence, 33_541_550)
_COMPACT = (COMPACT.licence, 1_247_008)
_MOBILENET = (RETINAFACE_MOBILENET.licence, 4_846_928)
_BUNDLED = {
    model["name"]: model
    for model in (
        _bundled("restorer", "bundled", "Real-ESRGAN, applied to each aligned face.", *_X4PLUS),
        _bundled("background", "lanczos", "Plain interpolation, instant.", _OURS),
        _bundled(
            "background", "compact", "Real-ESRGAN compact, distilled: cleans in seconds.", *_COMPACT
        ),
        _bundled("background", "realesrgan", "Real-ESRGAN: enlarges photos four times.", *_X4PLUS),
        _bundled("detector", "retinaface-mobilenet", "RetinaFace, small and fast.", *_MOBILENET),
        _bundled("masker", "feather", "A soft square around each face.", _OURS),
    )
}


def models() -> Iterator[Model]:
    """All of them, by kind, in the order in which the options list them."""
    for kind in get_args(Kind):
        for name in get_args(_CHOICES[kind]):
            if name in CATALOGUE:
                file = CATALOGUE[name]
                yield Model(
                    kind=kind,
                    name=name,
                    about=file.about,
                    licence=file.licence,
                    bytes=file.size,
                    bundled=False,
                    present=locate(file) is not None,
                )
            elif name not in _NO_MODEL:
                yield _BUNDLED[name]
