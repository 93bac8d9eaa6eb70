"""One resident enhancer in a process of its own, and what it answers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from enhance.engines.local import LocalEngine, LocalRun
from enhance.errors import ReplicaLost
from enhance.i18n import say
from enhance.limits import Limits
from enhance.options import Options
from enhance.pipeline import Enhancer
from enhance.records import EngineInfo, Failure, Result, Source

Array: TypeAlias = NDArray[np.uint8]

TRIES = 3  # a photo whose replica was lost is given to another one, at most twice

Answer: TypeAlias = tuple[Result | Failure, Array, Array | None]
"""A record without its bytes, then the bytes of the result and of its layers. Those are arrays
because Ray does not copy arrays into its messages."""


class Replica:
    """A complete LocalEngine in an actor, so the results are byte for byte the same."""

    def __init__(self, load: Callable[[], Enhancer], limits: Limits) -> None:
        self._engine = LocalEngine(load, limits)
        self._at_work: tuple[int, LocalRun] | None = None
        self._stopped: int | None = None

    def load(self) -> EngineInfo:
        """See `Engine.load`."""
        return self._engine.load()

    def enhance(
        self, photo: int, data: bytes, source: Source, options: Options, viewed: bool
    ) -> tuple[bool, Answer | None]:
        """Enhance one photo, given its file's contents `data`.

        Returns whether there is a result, and the answer: None if the photo was stopped.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photo"
            path.write_bytes(data)
            run = self._engine.run([replace(source, path=path)], options, viewed=viewed)
            self._at_work = photo, run
            if self._stopped == photo:  # `stop` was called before the work began
                run.close()
            record = next(run, None)
            self._at_work = None
        if record is None:
            return False, None
        if isinstance(record, Failure):
            return False, (record, _array(b""), None)
        layers = _array(record.layers) if record.layers else None
        return True, (replace(record, data=b"", layers=None), _array(record.data), layers)

    def stop(self, photo: int) -> None:
        """Stop the work on a photo before its next tile."""
        self._stopped = photo
        at_work = self._at_work
        if at_work and at_work[0] == photo:
            at_work[1].close()


def lost(name: str) -> ReplicaLost:
    """The error for a photo whose replica died at each of `TRIES` attempts."""
    return ReplicaLost(
        say(
            "“{name}” could not be enhanced: the process working on it died "
            "{tries} times, perhaps for lack of memory. Choose a smaller upscale "
            "or send a smaller photo.",
            name=name,
            tries=TRIES,
        )
    )


def whole(answer: Answer, index: int) -> Result | Failure:
    """The record of an answer, with its bytes and the photo's index in its run."""
    record, data, layers = answer
    if isinstance(record, Failure):
        return replace(record, index=index)
    held = None if layers is None else layers.tobytes()
    return replace(record, index=index, data=data.tobytes(), layers=held)


def _array(data: bytes) -> Array:
    return np.frombuffer(data, np.uint8)
