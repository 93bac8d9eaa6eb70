"""An enhancer that notes what it does, and how to wait for its notes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from benchmarks.photos import astronaut
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhanced, Enhancer
from enhance.records import EngineInfo, Photo, Source, StopCheck

if TYPE_CHECKING:  # each replica imports this module, and has no need of what tests compare with
    from tests.conftest import Save

QUICK = Options(restorer="none", background="lanczos", repair="off", tone="off", size="2x")
DEADLINE = 120  # seconds until a test that hangs fails; nothing is timed
SETUP = Setup(device="cpu")


class Telling(Enhancer):
    """Notes in a folder what it does; dies of photos that are called so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(ResidentModels(SETUP), Limits(), EngineInfo("cpu", "fp32", 1e-4))
        self.folder = folder

    def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
        note = self.folder / f"{photo.name} {os.getpid()} {time.monotonic_ns()}"
        note.touch()
        if photo.name.startswith("deadly"):
            os._exit(1)
        if photo.name.startswith("slow"):
            while note.exists():  # until somebody takes it away
                time.sleep(0.01)

        def counted() -> None:
            with note.open("a") as file:
                file.write(".")
            stop_check()

        return super().__call__(photo, options, counted)


def until(true: Callable[[], bool]) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def begun(notes: Path, name: str, count: int = 1) -> list[Path]:
    """The notes about a photo, once there are so many: of each replica that began with it."""
    until(lambda: len(list(notes.glob(f"{name} *"))) >= count)
    return list(notes.glob(f"{name} *"))


def begun_in_order(notes: Path) -> list[str]:
    """The names of the photos, in the order in which their enhancement began."""
    found = [note.name.rsplit(" ", 2) for note in notes.iterdir()]
    return [name for name, _, _ in sorted(found, key=lambda note: int(note[2]))]


def pid(note: Path) -> int:
    """Of the replica that has made the note."""
    return int(note.name.split()[-2])


def named(save: Save, *names: str) -> list[Source]:
    """As many small photos, all alike, in a new file: an earlier one may be read just now."""
    source = save(f"{uuid4().hex}.png", astronaut()[::8, ::8])
    return [replace(source, name=name) for name in names]
