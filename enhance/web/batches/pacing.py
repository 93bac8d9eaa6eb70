"""Results that come faster than a page should be sent them."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

_END: Any = object()


def paced(items: Iterable[T], seconds: float) -> Generator[list[T], None, None]:
    """Yield the items in lists, each at once unless so few seconds have passed since the last list.

    The items are consumed in a thread of its own, so they keep coming while a list is being dealt
    with. If this generator is closed early, `items` is dropped after its next item. Raises what
    `items` raises.
    """
    come: SimpleQueue[T] = SimpleQueue()
    left = Event()

    def consume() -> None:
        try:
            for item in items:
                come.put(item)
                if left.is_set():
                    break
        finally:
            come.put(_END)

    thread = ThreadPoolExecutor(1, thread_name_prefix="paced")
    consuming = thread.submit(copy_context().run, consume)
    due, over = 0.0, False
    try:
        while True:
            some = [come.get()]
            while some[-1] is not _END and (rest := due - time.monotonic()) > 0:
                with suppress(Empty):
                    some.append(come.get(timeout=rest))
            while some[-1] is not _END and not come.empty():
                some.append(come.get())
            if found := [item for item in some if item is not _END]:
                yield found
            if some[-1] is _END:
                break
            due = time.monotonic() + seconds
        over = True
        consuming.result()
    finally:
        left.set()
        if not over:
            consuming.add_done_callback(_log)
        thread.shutdown(wait=False)


def _log(consuming: Future[None]) -> None:
    """Report what nobody is there to see any more."""
    if error := consuming.exception():
        log.error("a batch failed after its page was closed", exc_info=error)
