import functools
import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import astronaut
from enhance.cli import main
from enhance.jobs.manifests import LOCK, NAME
from enhance.models.catalogue import MODELS, weight_files
from tests.pictures import lanczos

ROOT = Path(__file__).parents[1]
SMALL = np.ascontiguousarray(astronaut()[::8, ::8])
AS_IT_IS = "--restorer", "none", "--repair", "off", "--tone", "off"
PLAIN = *AS_IT_IS, "--background", "lanczos"  # enlarges, and runs no model


def visible(out: Path) -> list[str]:
    """What lies in the folder beside the manifest."""
    return sorted(path.name for path in out.iterdir() if path.name not in (LOCK, NAME))


def enhance(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "enhance", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        env=None,
        timeout=300,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    Image.fromarray(SMALL).save(folder / "a.png")
    Image.fromarray(SMALL).save(folder / "b Ä.JPG")
    Image.fromarray(SMALL).save(folder / "inner" / "deeper.png")
    (folder / "notes.txt").write_text("no photo")
    return folder


def test_a_folder_as_json_lines(folder: Path, tmp_path: Path) -> None:
    (folder / "bad.jpg").write_bytes(b"no photo")
    out = tmp_path / "new" / "out"
    done = enhance(folder, "-o", out, *PLAIN, "--size", "3x", "--json", "--quiet")
    assert done.returncode == 1, done.stderr
    *lines, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["name"] for line in lines] == ["a.png", "b Ä.JPG", "bad.jpg"]
    assert [line["ok"] for line in lines] == [True, True, False]
    assert lines[0]["source_size"] == [64, 64]
    assert lines[0]["output_size"] == [192, 192]
    assert "“bad.jpg”" in lines[2]["reason"]
    assert (last["done"], last["failed"]) == (2, 1)
    files = visible(out)
    assert files == ["a_enhanced.png", "b Ä_enhanced.jpg"], "also no .part file"
    assert [line["file"] for line in lines[:2]] == [str(out / name) for name in files]
    with Image.open(out / "a_enhanced.png") as image:
        assert np.array_equal(np.asarray(image), lanczos(SMALL, 3))


def test_files_for_people(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    arguments = [folder / "a.png", folder / "inner" / "deeper.png", "-o", out]
    done = enhance(*arguments, "--restorer", "none", "--size", "2x", "--format", "webp")
    assert done.returncode == 0, done.stderr
    first, second, last = done.stdout.splitlines()
    assert first.startswith("a.png → a_enhanced.webp: 128 × 128, 0 faces")
    assert second.startswith("deeper.png → deeper_enhanced.webp")
    assert last.startswith("2 of 2 enhanced, 0 failed")
    assert visible(out) == ["a_enhanced.webp", "deeper_enhanced.webp"]


def test_results_are_named_by_a_pattern(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [folder, "-o", out, *PLAIN, "--size", "1.5x"]
    assert enhance(*arguments, "--name", "{index} {stem}@{upscale}x").returncode == 0
    assert visible(out) == ["001 a@1.5x.png", "002 b Ä@1.5x.jpg"]
    assert enhance(*arguments, "--name", "album", "--format", "png").returncode == 0
    assert visible(out)[2:] == ["album.png", "album_2.png"]
    wrong = enhance(*arguments, "--name", "{stem}/{index}")
    assert wrong.returncode == 2
    assert "A name pattern must not contain /" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "side", "factor"),
    [
        (("--size", "1.5x"), 96, 1.5),
        (("--size", "2.0x"), 128, 2),
        (("--size", "0.5x"), 32, 0.5),
        (("--size", "100"), 100, 1.562),
    ],
)
def test_any_size(
    folder: Path, tmp_path: Path, arguments: tuple[object, ...], side: int, factor: float
) -> None:
    done = enhance(folder / "a.png", "-o", tmp_path / "out", *PLAIN, "--json", *arguments)
    report, _ = map(json.loads, done.stdout.splitlines())
    assert report["output_size"] == [side, side]
    assert report["upscale"] == factor
    with Image.open(report["file"]) as image:
        assert image.size == (side, side)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.png", "-o", "out", "--weight", "7"], "weight must be between 0 and 1, not 7."),
        (["a.png", "-o", "out", "--tile", "5"], "tile must be between 32 and 4096, not 5."),
        (["a.png", "-o", "out", "--size", "9x"], "size must be auto, a factor from 0.25x to 4x"),
        (["a.png", "-o", "out", "--longer-side", "-3"], "short:1080 for the shorter side"),
        (["a.png"], "-o/--out"),
        ([".", "-o", "out"], "no photos were found."),
    ],
)
def test_misuse_is_refused_with_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_out_that_is_a_file_is_misuse(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SystemExit) as caught:
        main([str(folder / "a.png"), "-o", str(tmp_path / "out"), "--restorer", "none"])
    assert caught.value.code == 2
    assert "out" in capsys.readouterr().err


def test_what_is_done_is_not_done_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = [folder, folder / "a.png", "-o", out, *PLAIN, "--json"]

    def run(*more: object) -> tuple[list[dict[str, object]], dict[str, int]]:
        assert main([str(argument) for argument in (*command, *more)]) == 0
        *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return lines, last

    lines, last = run()
    assert (last["done"], last["skipped"]) == (2, 0), "named twice, done once"
    first = {name: (out / name).stat() for name in visible(out)}

    again, last = run()
    assert (last["done"], last["skipped"]) == (0, 2)
    assert [line["file"] for line in again] == [line["file"] for line in lines]
    assert {name: (out / name).stat() for name in visible(out)} == first

    Image.fromarray(SMALL[::-1]).save(folder / "a.png")
    (out / "b Ä_enhanced.jpg").unlink()
    Image.fromarray(SMALL).save(folder / "c.png")
    assert run()[1]["done"] == 3, "one changed, one lost, one new"
    assert run("--size", "3x")[1]["done"] == 3
    assert run("--size", "3x")[1]["skipped"] == 3
    assert run("--size", "3x", "--overwrite")[1]["done"] == 3
    assert visible(out) == ["a_enhanced.png", "b Ä_enhanced.jpg", "c_enhanced.png"]


def test_photos_of_one_name_in_two_runs_do_not_overwrite_each_other(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    Image.fromarray(SMALL[::-1]).save(folder / "inner" / "a.png")
    for photo in (folder / "a.png", folder / "inner" / "a.png"):
        enhance(photo, "-o", out, *PLAIN, "--size", "1x")
    for name, pixels in (("a_enhanced.png", SMALL), ("a_enhanced_2.png", SMALL[::-1])):
        with Image.open(out / name) as image:
            assert np.array_equal(np.asarray(image), pixels)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "enhance", *map(str, arguments), "--verbose"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def lines(out: Path) -> list[dict[str, Any]]:
    try:
        content = (out / NAME).read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in content.splitlines(keepends=True) if line[-1:] == b"\n"]


def wait_for_lines(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    while len(lines(out)) < count:
        assert process.poll() is None, "ended before its time"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos, each with a color of its own; tests only read it."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(40):
        photo = Image.fromarray(astronaut()[:300, :400])
        photo.putpixel((0, 0), (number, 0, 0))
        photo.save(folder / f"{number:02}.png")
    return folder


def assert_whole(out: Path) -> None:
    """Every result that can be seen is the whole result of its photo."""
    for name in visible(out):
        if not name.endswith(".part"):
            with Image.open(out / name) as image:
                assert image.size == (400, 300)
                assert image.convert("RGB").getpixel((0, 0)) == (int(name[:2]), 0, 0)


def test_a_killed_run_is_resumed_and_every_photo_is_done_once(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [many, "-o", out, *PLAIN, "--size", "1x"]
    dice = random.Random(5)
    for _ in range(4):
        before = lines(out)
        written = {name: (out / name).stat() for line in before if (name := line["file"])}
        process = start(*command)
        wait_for_lines(out, len(before) + dice.randrange(1, 8), process)
        time.sleep(dice.random() * 0.05)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert len(before) < len(lines(out)) < 40
        assert {name: (out / name).stat() for name in written} == written, "redone"
        assert_whole(out)
    assert enhance(*command).returncode == 0
    assert_whole(out)
    assert visible(out) == [f"{number:02}_enhanced.png" for number in range(40)]
    done = [line["source"] for line in lines(out)]
    assert sorted(done) == [str(path) for path in sorted(many.iterdir())], "each exactly once"


def test_two_runs_share_a_folder(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [many, "-o", out, *PLAIN, "--size", "1x"]
    both = [start(*command), start(*command)]
    for process in both:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert_whole(out)
    assert visible(out) == [f"{number:02}_enhanced.png" for number in range(40)]
    assert {line["source"] for line in lines(out)} == {str(path) for path in many.iterdir()}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_asked_to_stop_does_and_says_so(
    many: Path, tmp_path: Path, number: int, code: int
) -> None:
    out = tmp_path / "out"
    process = start(many, "-o", out, *PLAIN, "--size", "1x")
    wait_for_lines(out, 3, process)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Stopped. Run the same command again to do the rest." in said and "Traceback" not in said
    assert visible(out) == sorted(line["file"] for line in lines(out))
    assert 3 <= len(visible(out)) < 40
    assert_whole(out)


def test_a_run_that_is_asked_to_stop_does_not_wait_for_a_long_step(tmp_path: Path) -> None:
    photo, out = tmp_path / "large.png", tmp_path / "out"
    Image.fromarray(np.tile(astronaut(), (4, 4, 1))).save(photo)
    process = start(photo, "-o", out, "--background", "realesrgan", "--tile", 2048)
    assert process.stderr
    for line in process.stderr:
        if "models run on" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)  # the tile takes minutes
    assert process.returncode == 143
    assert visible(out) == []


def test_what_is_printed_may_go_unread(folder: Path, tmp_path: Path) -> None:
    for arguments in (["models"], [folder, "-o", tmp_path / "out", *PLAIN, "--json", "--quiet"]):
        command = [sys.executable, "-m", "enhance", *map(str, arguments)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout and process.stderr
            process.stdout.close()  # as `| head` does
            assert process.stderr.read() == b""
            assert process.wait() == 1


def test_help_is_given() -> None:
    done = enhance("--help")
    assert done.returncode == 0
    assert "PHOTO_OR_FOLDER" in done.stdout


def test_fetch_downloads_verifies_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = b"weights" * 1000
    (tmp_path / "GFPGANv1.4.pth").write_bytes(content)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    monkeypatch.setenv("ENHANCE_WEIGHTS_DIR", str(tmp_path / "weights"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file = replace(
            weight_files()["gfpgan-1.4"],
            folders=(f"http://127.0.0.1:{server.server_port}",),
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        row = replace(MODELS["gfpgan-1.4"], weights=file)
        monkeypatch.setitem(MODELS, "gfpgan-1.4", row)
        assert main(["fetch", "gfpgan-1.4"]) == 0
        assert (tmp_path / "weights" / "GFPGANv1.4.pth").read_bytes() == content
        wrong = replace(row, weights=replace(file, sha256="0" * 64))
        monkeypatch.setitem(MODELS, "gfpgan-1.4", wrong)
        assert main(["fetch", "gfpgan-1.4"]) == 1
        server.shutdown()
    assert "its SHA-256 does not match" in capsys.readouterr().err


def test_a_name_may_not_replace_a_photo(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for sent in (folder / "a.png", folder):
        assert main([str(sent), "-o", str(folder), *PLAIN, "--name", "{stem}"]) == 0
        assert before == {path: path.read_bytes() for path in before}
    assert visible(folder) == ["a.png", "a_2.png", "b Ä.JPG", "b Ä.jpg", "inner", "notes.txt"]
