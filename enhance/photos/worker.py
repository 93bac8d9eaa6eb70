"""What runs in a worker process: it answers requests, decoding each file under its own limits.

`enhance.photos.worker_pool` is the other end. Nothing here may import torch or Gradio, so that a
worker starts in a fraction of a second.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import select
import struct
import tempfile
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import IO

import cv2
import pillow_heif
from PIL import AvifImagePlugin

from enhance.errors import EnhanceError
from enhance.photos.decode_limits import OUT_OF_MEMORY, Allowance, address_space
from enhance.photos.formats import size_of

with suppress(ImportError):  # on Windows, where there are no workers
    import resource

_THREADS = 4  # per decoder, however many cores there are, because each takes address space
_GROWTH = 256_000_000  # bytes; a worker that has kept this much memory ends and is replaced
_MESSAGES = 20  # log messages per file
_CHARACTERS = 2_000  # at most, of each message


def main(handle: int) -> None:
    """Answer requests from a socket until its other end is closed, or until this process has kept
    too much memory.

    The worker sends `ready` before each request and `begun` once it has received it. A request is a
    pickled (function, path, arguments, patience), where patience is the wall time in seconds that
    any file may take. An answer begins with the lengths of the arrays in it. Then comes a pickled
    (value, error, log messages) without the bytes of the arrays, which follow as one in-memory file
    each.
    """
    threading.Thread(target=_end_with_server, args=(handle,), daemon=True).start()
    cv2.setNumThreads(_THREADS)
    AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS
    pillow_heif.options.DECODE_THREADS = _THREADS
    messages = _Messages()
    logging.basicConfig(level=logging.INFO, handlers=[messages])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(handle)
    most = address_space() + _GROWTH
    with suppress(EOFError):
        while address_space() <= most:
            connection.send_bytes(b"ready")
            _answer(connection, messages)


def _answer(connection: Connection, messages: _Messages) -> None:
    """Answer one request."""
    request = connection.recv_bytes()
    connection.send_bytes(b"begun")
    function, path, arguments, patience = pickle.loads(request)  # noqa: S301, from the server
    value = error = None
    try:
        allowance = Allowance(path, patience)
        if size := size_of(path):
            allowance.allow(math.prod(size))
        try:
            value = function(*arguments)
        except EnhanceError as caught:
            error = caught
        _send(connection, (value, error, messages.taken()))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    allowance.end()


def _end_with_server(handle: int) -> None:
    """Exit as soon as the server has ended, however it ended."""
    poll = select.poll()
    poll.register(handle, 0)  # no events but hang-up and errors, which are always reported
    poll.poll()
    os._exit(0)


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
    """An unnamed file. Not `multiprocessing.shared_memory`, which has only 64 MB in Docker."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("pixels"), "r+b")
    return tempfile.TemporaryFile()


class _Messages(logging.Handler):
    """Collects log messages, up to a limit, to be logged by the server."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if len(self._kept) < _MESSAGES:
            text = record.getMessage()[:_CHARACTERS]
            self._kept.append((record.name, record.levelno, text))

    def taken(self) -> list[tuple[str, int, str]]:
        """The (logger, level, message) triples since the last call."""
        kept, self._kept = self._kept, []
        return kept
