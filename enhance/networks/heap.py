"""What becomes of memory that networks have freed, on which their speed on a CPU depends.

glibc gives large blocks back to the kernel at once, which then has to clear each of their pages for
the next layer again. That took a fifth of the time of enlarging a large photo.
"""

import ctypes
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of mallopt(3)
_LARGEST = 1 << 30  # bytes; what is freed is kept up to this
_ALLOWED = 32 << 20  # the largest block that older versions keep


def keep() -> None:
    """From now on, keep what is freed, for all threads together. Without glibc, nothing happens."""
    share()
    if any(_call("mallopt", _MMAP_THRESHOLD, size) for size in (_LARGEST, _ALLOWED)):
        _call("mallopt", _TRIM_THRESHOLD, _LARGEST)


def share() -> None:
    """Give threads that are yet to begin one heap, because each would hold what it frees."""
    _call("mallopt", _ARENA_MAX, 1)


def give_back() -> None:
    """Give back what is free now. Call this when there is nothing to do."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> int:
    """What a function of the C library returns; 0 if it is not glibc."""
    with suppress(OSError, TypeError, AttributeError):
        return int(getattr(ctypes.CDLL(None), name)(*arguments))
    return 0
