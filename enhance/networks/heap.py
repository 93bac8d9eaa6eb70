"""What becomes of memory that networks have freed, on which their speed on a CPU depends.

glibc gives large blocks back to the kernel at once, which then has to clear each of their pages for
the next layer again. That took a quarter of the time of enlarging a photo.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of mallopt(3)
_LARGEST = 1 << 30  # bytes; what is freed is kept up to this


def keep() -> None:
    """From now on, keep what is freed, for all threads together. Without glibc, do nothing."""
    settings = {_TRIM_THRESHOLD: _LARGEST, _MMAP_THRESHOLD: _LARGEST, _ARENA_MAX: 1}
    for parameter, value in settings.items():
        _call("mallopt", parameter, value)


def give_back() -> None:
    """Give back what is free now. Call this when there is nothing to do."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    with suppress(OSError, TypeError, AttributeError):  # not glibc
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
        function(*arguments)
