"""Whether the server can do its work."""

from __future__ import annotations

from typing import Literal, TypedDict

from enhance.options import Options
from enhance.pipeline.model_choice import resolve
from enhance.version import VERSION
from enhance.web.batches.store import BatchStore


class Health(TypedDict):
    """model: the face model that `restorer=auto` uses. It, `device` and `precision` are null while
    the models are loading. waiting: unfinished photos in all batches."""

    status: Literal["ok", "loading"]
    ready: bool
    model: str | None
    device: str | None
    precision: str | None
    waiting: int
    version: str


def health(batches: BatchStore) -> Health:
    """The current state; never blocks."""
    info = batches.engine.info
    return Health(
        status="ok" if info else "loading",
        ready=info is not None,
        model=resolve(Options(), info.device)[0].restorer if info else None,
        device=info.device if info else None,
        precision=info.precision if info else None,
        waiting=batches.waiting,
        version=VERSION,
    )
