"""Photos for the tests of the API, and where their results are."""

from pathlib import Path

from PIL import Image

from tests.server import SAMPLES, Server

QUICK, SLOW = 48, 160
"""Edges of photos, in pixels."""

WORK = {"background": "realesrgan", "restorer": "none"}
"""Options with which a slow photo is worked on for longer than any message travels."""

IN_STEPS = {**WORK, "tile": 32}
"""The same, but in many small steps, between which it can be stopped."""


def square(path: Path, edge: int) -> Path:
    """A piece of a photo, `edge` pixels wide and high, written to the path."""
    with Image.open(SAMPLES / "group.jpg") as image:
        image.resize((edge, edge), box=(100, 100, 500, 500)).save(path)
    return path


def results(server: Server, stem: str) -> list[Path]:
    """The results that the server has written for photos of that name."""
    return list(server.files.glob(f"results-*/**/{stem}_enhanced.*"))
