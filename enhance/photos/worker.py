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
import socket
import threading
from contextlib import suppress
from io import BufferedRWPair
from logging.handlers import BufferingHandler

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

    Everything on the socket is pickled. The worker sends "ready" before each request and "begun"
    once it has received it. A request is a (function, path, arguments, patience), where patience is
    the wall time in seconds that any file may take, an answer a (value, error, log messages), each
    message a (logger, level, text), to be logged by the server.
    """
    threading.Thread(target=_end_with_server, args=(handle,), daemon=True).start()
    cv2.setNumThreads(_THREADS)
    AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS
    pillow_heif.options.DECODE_THREADS = _THREADS
    messages = BufferingHandler(_MESSAGES + 1)  # never full
    messages.addFilter(lambda _: len(messages.buffer) < _MESSAGES)
    logging.basicConfig(level=logging.INFO, handlers=[messages])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=handle).makefile("rwb") as stream, suppress(EOFError):
        most = address_space() + _GROWTH
        while address_space() <= most:
            _answer(stream, messages)


def _answer(stream: BufferedRWPair, messages: BufferingHandler) -> None:
    """Answer one request."""
    _send("ready", stream)
    function, path, arguments, patience = pickle.load(stream)  # noqa: S301, from the server
    _send("begun", stream)
    value = error = None
    try:
        allowance = Allowance(path, patience)
        if size := size_of(path):
            allowance.allow(math.prod(size))
        try:
            value = function(*arguments)
        except EnhanceError as caught:
            error = caught
        said = [(m.name, m.levelno, m.getMessage()[:_CHARACTERS]) for m in messages.buffer]
        messages.flush()
        _send((value, error, said), stream)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    allowance.end()


def _send(message: object, stream: BufferedRWPair) -> None:
    pickle.dump(message, stream, 5)
    stream.flush()


def _end_with_server(handle: int) -> None:
    """Exit as soon as the server has ended, however it ended."""
    poll = select.poll()
    poll.register(handle, 0)  # no events but hang-up and errors, which are always reported
    poll.poll()
    os._exit(0)
