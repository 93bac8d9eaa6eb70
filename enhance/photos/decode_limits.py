"""How large a file may be, and what decoding it may cost: the one place for all these limits.

1. Before a file is read: its bytes. Before its pixels are decoded: their number, which its header
   tells. Both are what `Limits` allow.
2. Meanwhile the kernel limits the time and memory of the worker process in which it is decoded, in
   proportion to that size. So no list of known attacks has to be maintained.
"""

import errno
import math
import signal
import time
from contextlib import suppress
from pathlib import Path

from enhance.errors import PhotoTooLarge, UnsupportedPhoto
from enhance.limits import Limits

with suppress(ImportError):  # on Windows, where there are no workers
    import resource

# The resources that decoding a file may use. They grow with the number of pixels in its header, and
# with the bytes of the file, which entropy decoding reads one by one. The fixed part is for headers
# that can only be read with memory for the whole picture (animated WebP). Intact photos of 4 to 24
# megapixels in 18 formats needed up to 13 % of the time and 43 % of the memory, so a machine may be
# several times slower.
_SECONDS, _SECONDS_PER_MEGAPIXEL, _SECONDS_PER_MEGABYTE = 3, 0.1, 0.5
_BYTES, _BYTES_PER_PIXEL, _BYTES_PER_BYTE = 1_000_000_000, 48, 4

_MOST_PIXELS = 10**9  # larger photos are refused anyway

OUT_OF_MEMORY = errno.ENOMEM
"""The exit code of a worker that has reached its memory limit."""

AT_A_LIMIT = {-getattr(signal, name, 0) for name in ("SIGXCPU", "SIGALRM", "SIGKILL")}
"""The exit codes, as in `subprocess`, of workers that have reached a limit."""
AT_A_LIMIT.add(OUT_OF_MEMORY)


def check_bytes(name: str, size: int, limits: Limits) -> None:
    """Raises PhotoTooLarge if the file of a photo is larger than allowed."""
    if size > limits.max_bytes:
        raise PhotoTooLarge(
            "“{name}” is {megabytes:.0f} MB; the limit is {limit:.0f} MB.",
            name=name,
            megabytes=size / 1e6,
            limit=limits.max_bytes / 1e6,
        )


def check_pixels(name: str, size: tuple[int, int], limits: Limits) -> None:
    """Raises PhotoTooLarge if a photo of (width, height) has more pixels than allowed."""
    width, height = size
    if width * height > limits.max_pixels:
        raise PhotoTooLarge(
            "“{name}” has {width} × {height} pixels ({megapixels:.0f} megapixels); the limit "
            "is {limit:.0f} megapixels. Send a smaller version.",
            name=name,
            width=width,
            height=height,
            megapixels=width * height / 1e6,
            limit=limits.max_pixels / 1e6,
        )


def too_costly(name: str) -> UnsupportedPhoto:
    """The error for a file that takes more time or memory than a photo of its size may."""
    return UnsupportedPhoto(
        "“{name}” was not opened: that takes far more time or memory than a photo of its size "
        "does. Export it again from the original.",
        name=name,
    )


class Allowance:
    """What this process may use from now on, for one file; the kernel ends it if it uses more.

    At first that is enough to read the file's header.
    """

    def __init__(self, path: Path, patience: float) -> None:
        """patience: seconds of wall time that any file may take."""
        self._spent, self._space = time.process_time(), address_space()
        # Whoever reads it will report a missing file.
        self._length = path.stat().st_size if path.exists() else 0
        self._patience = patience
        self.allow(0)

    def allow(self, pixels: int) -> None:
        """Allow what decoding a photo of so many pixels needs."""
        pixels = min(pixels, _MOST_PIXELS)
        seconds = _SECONDS + _SECONDS_PER_MEGAPIXEL * pixels / 1e6
        seconds += _SECONDS_PER_MEGABYTE * self._length / 1e6
        signal.setitimer(signal.ITIMER_REAL, self._patience * seconds / _SECONDS)
        _set_limit(resource.RLIMIT_CPU, math.ceil(self._spent + seconds))
        memory = _BYTES + _BYTES_PER_PIXEL * pixels + _BYTES_PER_BYTE * self._length
        _set_limit(resource.RLIMIT_FSIZE, memory)  # of what no decoder writes
        if self._space:
            _set_limit(resource.RLIMIT_AS, self._space + memory)

    def end(self) -> None:
        """End the limit of wall time; the next allowance replaces the others."""
        signal.setitimer(signal.ITIMER_REAL, 0)


def address_space() -> int:
    """Bytes of this process's address space; 0 if the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _set_limit(kind: int, value: int) -> None:
    """Set a soft limit, at most the hard limit that the process started with."""
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if most == resource.RLIM_INFINITY else min(value, most), most))
