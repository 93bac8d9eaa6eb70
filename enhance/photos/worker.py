"""What runs in a worker process: it answers requests, decoding each file under its own limits.

`enhance.photos.worker_pool` is the other end. Nothing here may import torch or Gradio, so that a
worker starts in a fraction of a second.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import pickle
import select
import signal
import struct
import tempfile
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import IO

import cv2
import pillow_heif
from PIL import AvifImagePlugin

from enhance.errors import EnhanceError
from enhance.photos.previews import size_of

with suppress(ImportError):  # on Windows, where there are no workers
    import resource

# What decoding a file may take. The work grows with the pixels, as the header tells them, and with
# the bytes of the file, which entropy coding reads one by one. The fixed part lets a header be read
# that needs room for the picture (animated WebP). Intact photos of 4 to 24 megapixels, in 18 forms,
# needed up to 13 % of the time and 43 % of the memory: a machine may be some times slower.
_SECONDS, _SECONDS_PER_MEGAPIXEL, _SECONDS_PER_MEGABYTE = 3, 0.1, 0.5
_BYTES, _BYTES_PER_PIXEL, _BYTES_PER_BYTE = 1_000_000_000, 48, 4

_MOST_PIXELS = 10**9  # more are refused anyway

OUT_OF_MEMORY = errno.ENOMEM
"""The exit code of a worker that has come to its limit of memory."""

_THREADS = 4  # of a decoder, whatever the machine has: each takes address space
_GROWTH = 256_000_000  # bytes; a worker that has kept so much makes room for a new one
_MESSAGES = 20  # that are logged about one file, of so many characters each
_CHARACTERS = 2_000


def main(handle: int) -> None:
    """Answer requests that come through a socket until its other end is closed, or too much of
    this process's memory is in use.

    It says `ready` before each request, which is a pickled (function, path, arguments, patience).
    An answer begins with the lengths of the arrays in it; then comes a pickled (value, error,
    messages for the log) without their bytes, which follow in a file in memory for each.
    patience: the seconds of real time that every file may take.
    """
    threading.Thread(target=_end_with_server, args=(handle,), daemon=True).start()
    cv2.setNumThreads(_THREADS)
    AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS
    pillow_heif.options.DECODE_THREADS = _THREADS
    messages = _Messages()
    logging.basicConfig(level=logging.INFO, handlers=[messages])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(handle)
    most = _address_space() + _GROWTH
    with suppress(EOFError):
        while _address_space() <= most:
            connection.send_bytes(b"ready")
            _answer(connection, messages)


def _answer(connection: Connection, messages: _Messages) -> None:
    """Answer one request."""
    request = connection.recv_bytes()
    function, path, arguments, patience = pickle.loads(request)  # noqa: S301, the server made it
    value = error = None
    try:
        _limit(path, patience)
        try:
            value = function(*arguments)
        except EnhanceError as caught:
            error = caught
        _send(connection, (value, error, messages.taken()))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _end_with_server(handle: int) -> None:
    """End at once when the server has ended, in whatever way."""
    poll = select.poll()
    poll.register(handle, 0)  # tells of the end only
    poll.poll()
    os._exit(0)


def _limit(path: Path, patience: float) -> None:
    """Give this process what decoding a file may take; the kernel ends it when it takes more."""
    spent, space = time.process_time(), _address_space()
    length = path.stat().st_size if path.exists() else 0  # the function says that it is gone

    def allow(pixels: int) -> None:
        seconds = _SECONDS + _SECONDS_PER_MEGAPIXEL * pixels / 1e6
        seconds += _SECONDS_PER_MEGABYTE * length / 1e6
        signal.setitimer(signal.ITIMER_REAL, patience * seconds / _SECONDS)
        _set_limit(resource.RLIMIT_CPU, math.ceil(spent + seconds))
        if space:
            memory = _BYTES + _BYTES_PER_PIXEL * pixels + _BYTES_PER_BYTE * length
            _set_limit(resource.RLIMIT_AS, space + memory)

    allow(0)  # reading the header is decoding, too
    if size := size_of(path):
        allow(min(math.prod(size), _MOST_PIXELS))


def _set_limit(kind: int, value: int) -> None:
    """The limit that is in force, within the one that was there when the process started."""
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if most == resource.RLIM_INFINITY else min(value, most), most))


def _address_space() -> int:
    """Bytes that this process has mapped; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _send(connection: Connection, answer: object) -> None:
    arrays: list[pickle.PickleBuffer] = []
    body = pickle.dumps(answer, 5, buffer_callback=arrays.append)
    contents = [array.raw() for array in arrays]
    connection.send_bytes(struct.pack(f"{len(contents)}Q", *(len(each) for each in contents)))
    connection.send_bytes(body)
    for content in contents:
        with _file_in_memory() as file:
            file.write(content)
            file.flush()
            send_handle(connection, file.fileno(), os.getppid())


def _file_in_memory() -> IO[bytes]:
    """A file without a name. Not `multiprocessing.shared_memory`, which Docker gives 64 MB."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("pixels"), "r+b")
    return tempfile.TemporaryFile()


class _Messages(logging.Handler):
    """Keeps what is logged for the server, whose log it belongs to; no flood of it."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if len(self._kept) < _MESSAGES:
            text = record.getMessage()[:_CHARACTERS]
            self._kept.append((record.name, record.levelno, text))

    def taken(self) -> list[tuple[str, int, str]]:
        """(logger, level, message) since the last call."""
        kept, self._kept = self._kept, []
        return kept
