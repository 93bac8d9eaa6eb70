"""Results that come faster than a page should be sent them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")

_END: Any = object()


def paced(items: Iterable[T], seconds: float) -> Iterator[list[T]]:
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
    due = 0.0
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
        consuming.result()
    finally:
        left.set()
        thread.shutdown(wait=False)
