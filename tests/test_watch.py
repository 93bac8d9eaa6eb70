"""`enhance watch`: photos that are still arriving, folders that come and go, sudden kills."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import settings

from enhance.cli import main
from enhance.errors import UnreadablePhoto
from enhance.jobs.local_folder import LocalFolder
from enhance.jobs.manifests import NAME
from enhance.photos import decode, encode
from enhance.records import Photo, Source
from tests.copying import copying
from tests.pictures import DEEP, PHOTO, file_of
from tests.test_cli import ROOT, lines

__all__ = ["copying"]  # a fixture

assert settings.default
KILLS = settings.default.max_examples // 10  # ten, or a hundred with the profile "thorough"
PHOTOS = 5  # that arrive before each kill
PLAIN = ["--restorer", "none", "--background", "lanczos", "--size", "1x"]

# Copies photos instead of enhancing them, so that it starts quickly, but not too fast to be killed.
COPYING = """
import sys, time, enhance.cli
from tests.copying import Copies, marked
def slowly(data, options):
    time.sleep(0.02)
    return marked(data, options)
enhance.cli.open_engine = lambda *_, **__: Copies(slowly)
sys.exit(enhance.cli.main(sys.argv[1:]))
"""


def wait_until(condition: Callable[[], object], process: subprocess.Popen[Any]) -> None:
    while not condition():
        assert process.poll() is None, "ended before its time"
        time.sleep(0.005)


def appear(path: Path, data: bytes) -> None:
    """Put a file in its place at once, as most programs do that copy files."""
    hidden = path.with_name(f".{path.name}")
    hidden.write_bytes(data)
    hidden.rename(path)


def test_killed_again_and_again_and_every_photo_is_done_once(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    dice = random.Random(11)
    command = [sys.executable, "-c", COPYING, "watch", str(source), "-o", str(out), "-q"]
    names = [f"{number:04}.jpg" for number in range(PHOTOS * KILLS)]
    start_up = 0.0
    for kill in range(KILLS):
        start = time.monotonic()
        process = subprocess.Popen([*command, "--every", "0.05"], cwd=ROOT)
        if not kill:
            wait_until((out / NAME).exists, process)
            start_up = time.monotonic() - start
        for name in names[kill * PHOTOS : (kill + 1) * PHOTOS]:
            appear(source / name, name.encode())
        time.sleep(dice.uniform(0, start_up + 0.4))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        made = {path.stem[:4]: path.read_bytes() for path in out.glob("[!.]*")}
        assert all(data == f"{name}.jpg, x2".encode() for name, data in made.items()), "all whole"
    assert subprocess.run([*command, "--every", "0.1", "--once"], cwd=ROOT).returncode == 0
    assert sorted(path.name for path in out.glob("[!.]*")) == [
        f"{name[:-4]}_enhanced.jpg" for name in names
    ]
    done = [line["source"] for line in lines(out) if "file" in line]
    assert sorted(done) == [str(source / name) for name in names], "each exactly once"
    assert not list(out.glob(".*.part"))


Step = Callable[[], object]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copying: None) -> Any:
    """Watches `in`, and does one step between two looks, during which time passes."""

    before = signal.getsignal(signal.SIGTERM)

    def watched(*steps: Step, out: str = str(tmp_path / "out")) -> None:
        script = iter(steps)
        now = 0.0

        def sleep(seconds: float) -> None:
            nonlocal now
            now += seconds
            step = next(script, None)
            if step is None:
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                step()

        monkeypatch.setattr("enhance.jobs.watch.time.sleep", sleep)
        monkeypatch.setattr("enhance.jobs.watch.time.monotonic", lambda: now)
        with pytest.raises(SystemExit) as ended:
            main(["watch", str(tmp_path / "in"), "-o", out, "--quiet"])
        assert ended.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is before

    (tmp_path / "in").mkdir()
    return watched


def made(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.glob("[!.]*")}


def nothing() -> None:
    """Time passes."""


def test_photos_are_taken_when_they_have_come_to_rest(watched: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    photo = source / "a.jpg"

    def grow(text: str) -> Step:
        def step() -> None:
            assert not made(out)
            with photo.open("a") as file:
                file.write(text)

        return step

    def change() -> None:
        assert made(out) == {"a_enhanced.jpg": "half whole, x2"}
        photo.write_text("another")
        (source / "b.jpg").write_text("b")
        (source / "c.jpg").write_text("c")
        (source / "d.jpg.part").write_text("d")

    def move() -> None:
        (source / "b.jpg").rename(source / "e.jpg")
        (source / "c.jpg").unlink()
        (source / "d.jpg.part").rename(source / "d.jpg")

    watched(grow("half "), grow("whole"), nothing, change, move, nothing, nothing)
    assert made(out) == {
        "a_enhanced.jpg": "another, x2",
        "d_enhanced.jpg": "d, x2",
        "e_enhanced.jpg": "b, x2",
    }
    assert len(lines(out)) == 4, "none failed, none was done twice"
    watched(nothing, nothing)
    assert len(lines(out)) == 4, "started again, it knows what is done"


def test_folders_may_be_away_for_a_while(
    watched: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out, away = (tmp_path / name for name in ("in", "out", "away"))
    (source / "a.jpg").write_text("a")

    def later(name: str) -> None:
        away.rename(source)
        (source / name).write_text(name)

    def take_results_away() -> None:
        out.rename(away)
        out.mkdir()
        (source / "c.jpg").write_text("c")

    def without_results() -> None:
        assert made(away) == {"a_enhanced.jpg": "a, x2", "b_enhanced.jpg": "b.jpg, x2"}
        assert not list(out.iterdir()), "an empty mount point is no folder for results"
        out.rmdir()

    watched(
        nothing,
        lambda: source.rename(away),
        nothing,
        lambda: later("b.jpg"),
        nothing,
        nothing,
        take_results_away,
        nothing,
        without_results,
        lambda: shutil.copytree(away, out),  # as another mount: the open file is gone for good
        nothing,
        nothing,
    )
    names = [line["file"] for line in lines(out)]
    assert names == ["a_enhanced.jpg", "b_enhanced.jpg", "c_enhanced.jpg"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(line.startswith("waiting: ") for line in said), "once for each"
    assert str(source) in said[0] and str(out / NAME) in said[1]


def test_a_full_disk_is_tried_again_less_and_less_often(
    watched: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for name in "abc":
        (source / f"{name}.jpg").write_text(name)
    create = LocalFolder.create
    attempts: list[str] = []
    full = True

    def refuse(folder: LocalFolder, name: str, data: bytes) -> None:
        if full:
            attempts.append(name)
            raise OSError(errno.ENOSPC, "No space left on device")
        create(folder, name, data)

    def make_room() -> None:
        nonlocal full
        full = False

    monkeypatch.setattr(LocalFolder, "create", refuse)
    watched(*[nothing] * 31, make_room, *[nothing] * 31)
    assert attempts == ["a_enhanced.jpg"] * 5, "no other photo is done in vain"
    assert made(out) == {f"{name}_enhanced.jpg": f"{name}, x2" for name in "abc"}


def test_once_does_what_is_at_rest_and_ends(
    tmp_path: Path, copying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fsspec.filesystem("memory")
    command = ["watch", "memory://watched", "-o", "memory://watched/out", "--once", "--quiet"]
    rests: list[float] = []

    def sleep(seconds: float) -> None:
        rests.append(seconds)
        files.pipe_file("/watched/late.jpg", b"late")

    monkeypatch.setattr("enhance.jobs.watch.time.sleep", sleep)
    files.pipe_file("/watched/a.jpg", b"a")
    try:
        assert main([*command, "--every", "3"]) == 0
        assert files.ls("/watched/out", detail=False) and rests == [3]
        assert files.cat_file("/watched/out/a_enhanced.jpg") == b"a, x2"
        assert not files.exists("/watched/out/late_enhanced.jpg"), "for the next time"
        monkeypatch.setattr("enhance.jobs.watch.time.sleep", rests.append)
        assert main(command) == 0
        assert files.cat_file("/watched/out/late_enhanced.jpg") == b"late, x2"
        assert main(command) == 0
        assert rests == [3, 10], "there was nothing to wait for"
    finally:
        files.rm("/watched", recursive=True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "deep PNG", "TIFF", "deep TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("share", [0.5, 0.98])
def test_what_is_cut_off_is_not_taken_for_whole(kind: str, share: float, tmp_path: Path) -> None:
    deep = np.ascontiguousarray(DEEP[..., :3])
    photo = Photo("a", PHOTO, "TIFF")
    data = {
        "deep PNG": lambda: encode(deep, None, photo, "png", 95)[0],
        "deep TIFF": lambda: encode(deep, None, photo, "same", 95)[0],
    }.get(kind, lambda: file_of(PHOTO, kind))()
    path = tmp_path / "a"
    path.write_bytes(data)
    decode(Source(path, "a.jpg", whole=True))
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadablePhoto, match=r"“a\.jpg” is"):
        decode(Source(path, "a.jpg", whole=True))
