"""The contract of every engine: photos in, finished records out, one by one.

Page, API and command line all iterate over a `Run`.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.options import Options
from enhance.records import EngineInfo, Failure, Result, Source

T = TypeVar("T")

log = logging.getLogger(__name__)


class Run(Iterator[Result | Failure]):
    """Yields the records of one batch, each as soon as it is finished.

    An engine with a single enhancer yields them in the order of the photos; `index` says which
    photo a record belongs to. The records do not refer to their run, so all photos that it holds
    are gone as soon as it is.
    """

    def __init__(self, records: Iterator[Result | Failure], close: Callable[[], None]) -> None:
        self._records = records
        self.close = close
        """Stop the work before its next tile. Safe from any thread, any number of times."""

    def __next__(self) -> Result | Failure:
        return next(self._records)


class Engine(Protocol):
    """One or more resident enhancers behind one method.

    replicas: how many photos the engine may work on at the same time. running: how many it can
    work on right now, at least 1: a pool may still grow.
    """

    replicas: int
    running: int

    def run(
        self, sources: Iterable[Source], options: Options, *, viewed: bool = False, client: str = ""
    ) -> Run:
        """Enhance the photos: one record per source; a failed photo never affects the others.

        Lazy: only a few photos are in memory at a time, however long the batch.
        viewed: the results are for a page, so they carry views and the layers that let faces be
            switched off later (see `enhance.pipeline.layers`).
        """
        ...

    @property
    def info(self) -> EngineInfo | None:
        """What `load` returns; None until the models are loaded. Never blocks."""
        ...

    def load(self) -> EngineInfo:
        """Load the models if they are not loaded yet; raises what loading raises."""
        ...

    def close(self) -> None:
        """Stop all runs and free the models."""
        ...


def failure(index: int, name: str, error: BaseException) -> Failure:
    """The record of a photo for which `error` was raised, with a sentence that names the photo."""
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


def ahead(items: Iterable[T], count: int) -> Iterator[T]:
    """Prefetch: yield the same items, each only after the next `count` have been taken."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting
