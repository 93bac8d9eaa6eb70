"""What runs in a worker in place of a decoder. It imports little, as a worker does."""

import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from enhance.limits import Limits
from enhance.photos import decode
from enhance.records import Photo, Source


def crash(source: Source) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(source: Source) -> None:
    os._exit(0)


def sleep(source: Source) -> None:
    time.sleep(1000)


def spin(source: Source) -> None:
    while True:
        pass


def hoard(source: Source) -> None:
    kept = []
    try:
        while True:
            kept.append(np.ones(10_000_000, np.uint8))
    except MemoryError:
        kept.clear()
        raise


def flood(source: Source, limits: Limits) -> Photo:
    for handle in (1, 2):
        for _ in range(1000):
            os.write(handle, b"x" * 100_000)
    for number in range(100_000):
        logging.getLogger("flood").warning("%d %s", number, "y" * 10_000)
    return decode(source, limits)


def answer_with_code(source: Source) -> Any:
    return Code()


class Code:
    def __reduce__(self) -> Any:
        return os.putenv, ("TAKEN", "over")


_kept: list[bytearray] = []


def keep(source: Source, size: int) -> int:
    """What a decoder leaks stays; tells which process this is."""
    _kept.append(bytearray(size))
    return os.getpid()


def handles(source: Source) -> dict[str, str]:
    folder = Path("/proc/self/fd")
    found = {}
    for handle in folder.iterdir():
        try:
            found[handle.name] = str(handle.readlink())
        except OSError:  # the one that listed them
            continue
    return found


def libraries(source: Source) -> list[str]:
    return sorted({"torch", "gradio", "onnxruntime", "pytest"} & set(sys.modules))


def environment(source: Source) -> dict[str, str]:
    return dict(os.environ)


def write(source: Source, path: Path) -> None:
    """Write for ever, without taking up the disk."""
    with path.open("wb") as file:
        while True:
            file.seek(100_000_000, os.SEEK_CUR)
            file.write(b"x")


def group(source: Source) -> int:
    return os.getsid(0)
