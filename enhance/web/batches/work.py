"""Works on a batch for an endpoint, whose client waits for the photos or goes."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from anyio import to_thread

from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry


async def work(start: Callable[[], Batch]) -> AsyncGenerator[tuple[Batch, Entry], None]:
    """Start a batch in a thread; yield it with each of its photos, as soon as that is done.

    When it is cancelled or closed, the photo in progress stops before its next tile. Raises what
    `start` raises.
    """
    starting = asyncio.ensure_future(to_thread.run_sync(start))
    try:
        batch = await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_abandon)
        raise
    entries = batch.records()
    # Asynchronous, so that a cancel arrives here while a photo is in progress: the thread is
    # abandoned.
    try:
        while entry := await to_thread.run_sync(next, entries, None, abandon_on_cancel=True):
            yield batch, entry
    finally:
        batch.abandon()


def _abandon(started: asyncio.Future[Batch]) -> None:
    if not started.cancelled() and started.exception() is None:
        started.result().abandon()
