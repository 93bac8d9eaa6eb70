"""The contract of every engine: photos in, finished records out, one by one.

Everything else (page, API, command line) folds over a `Run`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol, TypeVar

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.layers import assemble, has_layers, pack
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import DECODER, Decoder, output_stem
from enhance.pipeline import Enhanced
from enhance.records import EngineInfo, Failure, Photo, Result, Source
from enhance.upscaling.interpolation import shrink

T = TypeVar("T")

log = logging.getLogger(__name__)

_DRAFT_SIDE = 640  # pixels, the longer side of the photo that a draft is made from
_DRAFT_QUALITY = 85


class Run(Iterator[Result | Failure], Protocol):
    """The records of one batch, each as soon as it is finished.

    They come in the order of the photos if the engine has one enhancer; `index` says which
    photo it is.
    """

    def close(self) -> None:
        """Stop the work before its next tile. Safe from any thread, any number of times."""


class Engine(Protocol):
    """One or more resident enhancers behind one method."""

    def run(self, sources: Iterable[Source], options: Options, *, viewed: bool = False) -> Run:
        """Enhance the photos; one record per source, a failure never harms its neighbours.

        Lazy: at most a couple of photos are in memory, however long the batch. viewed: for a page;
        the results carry views, and layers with which faces can be left out later (see
        `enhance.layers`).
        """
        ...

    @property
    def replicas(self) -> int:
        """How many photos it works on at the same time."""
        ...

    @property
    def info(self) -> EngineInfo | None:
        """What `load` gives; None while the models are not loaded. Never waits."""
        ...

    def load(self) -> EngineInfo:
        """Load the models, unless they are loaded; raises what loading raises."""
        ...

    def close(self) -> None:
        """Stop all runs and let the models go."""
        ...


def failure(index: int, name: str, error: BaseException) -> Failure:
    """The record of a photo whose work raised `error`: a sentence that names the photo."""
    if isinstance(error, EnhanceError):
        reason = error.sentence
        if f"“{name}”" not in reason:
            reason = say("“{name}” could not be enhanced. {reason}", name=name, reason=reason)
    else:
        log.error("unexpected error in photo %d", index, exc_info=error)
        reason = say(
            "“{name}” could not be enhanced because of an internal error ({kind}). "
            "See the log for details.",
            name=name,
            kind=type(error).__name__,
        )
    return Failure(index, name, reason, type(error).__name__)


def prepare(
    source: Source, options: Options, limits: Limits, decoder: Decoder = DECODER
) -> tuple[Photo, Options]:
    """The decoded photo, and how to enhance it: for a draft, a shrunk one, at little cost.

    Raises what decoding raises.
    """
    photo = decoder(source, limits)
    if not source.draft:
        return photo, options
    scale = min(1, _DRAFT_SIDE / max(photo.size))
    width, height = (max(1, round(side * scale)) for side in photo.size)
    photo = replace(
        photo,
        rgb=shrink(photo.rgb, (width, height)),
        alpha=None if photo.alpha is None else shrink(photo.alpha, (width, height)),
        draft=True,
    )
    return photo, replace(
        options,
        upscale=min(options.upscale, 2),
        background="lanczos",
        faces="largest",
        min_face=max(1, round(options.min_face * scale)),
        format="jpeg",
        quality=_DRAFT_QUALITY,
        metadata="strip",
    )


def ahead(items: Iterable[T], count: int) -> Iterator[T]:
    """The same items, but each is given only after so many behind it have been taken."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def finish(
    index: int, photo: Photo, options: Options, enhanced: Enhanced, *, viewed: bool
) -> Result:
    """Paste the faces and encode one photo; `viewed`: see `Engine.run`.

    Raises what encoding raises.
    """
    wanted = viewed and has_layers(enhanced) and not photo.draft
    layers = pack(enhanced) if wanted else None
    done = assemble(photo, enhanced, options, viewed=viewed)
    report = done.report
    if photo.draft:
        report = replace(report, notes=())  # they belong to the full version
    suffix = "draft" if photo.draft else "enhanced"
    filename = f"{output_stem(photo.name)}_{suffix}.{done.extension}"
    return Result(index, photo.name, filename, done.data, report, done.views, layers)
