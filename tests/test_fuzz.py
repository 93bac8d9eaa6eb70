"""A slice of the fuzz, and whether the fuzz would see what it looks for."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import fuzz
from enhance.photos import decode
from enhance.records import Source


def test_damaged_files_become_results_or_clear_failures(tmp_path: Path) -> None:
    tally = fuzz.fuzz(range(600), tmp_path, seconds=120)
    assert tally.broken == []
    assert set(tally.outcomes) == {"JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF", "HEIC", "AVIF"}
    assert tally.files > 100
    for name, counts in tally.outcomes.items():
        assert counts["whole"] and counts["UnreadablePhoto"], f"{name} is all whole or all broken"
    assert list(tmp_path.iterdir()) == []


def test_every_intact_file_of_the_corpus_can_be_read(tmp_path: Path) -> None:
    for label, data in fuzz.corpus().items():
        path = tmp_path / "photo"
        path.write_bytes(data)
        photo = decode(Source.of(path))
        assert set(photo.size) in ({41, 57}, {48, 64}), label
        assert photo.rgb.std() > 10, label


def test_the_same_seed_gives_the_same_file() -> None:
    files, again = fuzz.corpus(), fuzz.corpus()
    damaged = [fuzz.mutate(files, seed) for seed in range(200)]
    assert damaged == [fuzz.mutate(again, seed) for seed in range(200)]
    assert sum(data != files[label] for label, data in damaged) > 190


def crash(_: object, path: Path) -> str:
    os.kill(os.getpid(), signal.SIGSEGV)
    return "whole"


def hang(_: object, path: Path) -> str:
    time.sleep(1000)
    return "whole"


def hoard(_: object, path: Path) -> str:
    return f"{len(bytearray(2 * fuzz.MEMORY))}"


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [(crash, "exit code -11"), (hang, "hung for more than 1 s"), (hoard, "exit code 1")],
)
def test_a_crash_a_hang_and_a_glutton_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: fuzz.Judge, verdict: str
) -> None:
    path = tmp_path / "photo"
    path.write_bytes(fuzz.corpus()["PNG"])
    monkeypatch.setattr(fuzz, "SECONDS", 60 if fault is not hang else 1)
    with closing(fuzz.Worker(fault)) as worker:
        assert verdict in worker(path)[0]
    monkeypatch.undo()
    with closing(fuzz.Worker()) as worker:
        assert worker(path)[0] == "whole"
