"""The contract of every engine: photos in, finished records out, one by one.

Everything else (page, API, command line) folds over a `Run`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from enhance.errors import EnhanceError
from enhance.images import encode, output_stem
from enhance.pipeline import Enhanced
from enhance.records import EngineInfo, Failure, Options, Photo, Result, Source

log = logging.getLogger(__name__)


class Run(Iterator[Result | Failure], Protocol):
    """The records of one batch, in the order of its photos, each as soon as it is finished."""

    def close(self) -> None:
        """Stop the work before its next tile. Safe from any thread, any number of times."""


class Engine(Protocol):
    """One or more resident enhancers behind one method."""

    def run(self, sources: Iterable[Source], options: Options) -> Run:
        """Enhance the photos; one record per source, a failure never harms its neighbours.

        Lazy: at most a couple of photos are in memory, however long the batch.
        """
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
        reason = str(error)
        if f"“{name}”" not in reason:
            reason = f"“{name}” could not be enhanced. {reason}"
    else:
        log.error("unexpected error in photo %d", index, exc_info=error)
        reason = (
            f"“{name}” could not be enhanced because of an internal error "
            f"({type(error).__name__}); the log has the details."
        )
    return Failure(index, name, reason, type(error).__name__)


def unsaved(record: Result, error: OSError) -> Failure:
    """The record of a photo that was enhanced, but whose file could not be written."""
    reason = f"“{record.name}” could not be saved: {error.strerror or error}."
    return Failure(record.index, record.name, reason, type(error).__name__)


class Finisher:
    """Turns the enhanced photos of one batch into results with names that are unique in it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._taken: set[str] = set()

    def __call__(self, index: int, photo: Photo, enhanced: Enhanced) -> Result:
        """Encode one photo. Raises what encoding raises."""
        start = time.perf_counter()
        data, extension, notes = encode(
            enhanced.canvas, enhanced.alpha, photo, self._options.format, self._options.quality
        )
        report = enhanced.report
        report = replace(
            report,
            notes=report.notes + notes,
            seconds=report.seconds | {"encode": round(time.perf_counter() - start, 4)},
        )
        return Result(index, photo.name, self._unique(photo.name, extension), data, report)

    def _unique(self, name: str, extension: str) -> str:
        stem = f"{output_stem(name)}_enhanced"
        candidate, count = f"{stem}.{extension}", 1
        while candidate.casefold() in self._taken:  # as file systems without case would see it
            count += 1
            candidate = f"{stem}_{count}.{extension}"
        self._taken.add(candidate.casefold())
        return candidate
