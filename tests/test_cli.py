from __future__ import annotations

import functools
import hashlib
import json
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import astronaut
from enhance.catalogue import CATALOGUE
from enhance.cli import main
from enhance.scaling import lanczos

ROOT = Path(__file__).parents[1]
SMALL = np.ascontiguousarray(astronaut()[::8, ::8])


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
    done = enhance(folder, "-o", out, "--restorer", "none", "--upscale", 3, "--json", "--quiet")
    assert done.returncode == 1, done.stderr
    *lines, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["name"] for line in lines] == ["a.png", "b Ä.JPG", "bad.jpg"]
    assert [line["ok"] for line in lines] == [True, True, False]
    assert lines[0]["source_size"] == [64, 64]
    assert lines[0]["output_size"] == [192, 192]
    assert "“bad.jpg”" in lines[2]["reason"]
    assert (last["done"], last["failed"]) == (2, 1)
    files = sorted(path.name for path in out.iterdir())
    assert files == ["a_enhanced.png", "b Ä_enhanced.jpg"], "also no .part file"
    assert [line["file"] for line in lines[:2]] == [str(out / name) for name in files]
    with Image.open(out / "a_enhanced.png") as image:
        assert np.array_equal(np.asarray(image), lanczos(SMALL, 3))


def test_files_for_people(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    arguments = [folder / "a.png", folder / "inner" / "deeper.png", "-o", out]
    done = enhance(*arguments, "--restorer", "none", "--upscale", 2, "--format", "webp")
    assert done.returncode == 0, done.stderr
    first, second, last = done.stdout.splitlines()
    assert first.startswith("a.png → a_enhanced.webp: 128 × 128, 0 faces")
    assert second.startswith("deeper.png → deeper_enhanced.webp")
    assert last.startswith("2 of 2 enhanced, 0 failed")
    assert sorted(path.name for path in out.iterdir()) == [
        "a_enhanced.webp",
        "deeper_enhanced.webp",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.png", "-o", "out", "--weight", "7"], "weight must be between 0 and 1, not 7.0."),
        (["a.png", "-o", "out", "--tile", "5"], "tile must be between 32 and 4096, not 5."),
        (["a.png", "-o", "out", "--upscale", "9"], "--upscale"),
        (["a.png"], "-o/--out"),
        ([".", "-o", "out"], "there is no photo in what you named."),
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
        row = replace(
            CATALOGUE["gfpgan-1.4"],
            urls=(f"http://127.0.0.1:{server.server_port}/GFPGANv1.4.pth",),
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        monkeypatch.setitem(CATALOGUE, "gfpgan-1.4", row)
        assert main(["fetch", "gfpgan-1.4"]) == 0
        assert (tmp_path / "weights" / "GFPGANv1.4.pth").read_bytes() == content
        monkeypatch.setitem(CATALOGUE, "gfpgan-1.4", replace(row, sha256="0" * 64))
        assert main(["fetch", "gfpgan-1.4"]) == 1
        server.shutdown()
    assert "a wrong one is not used" in capsys.readouterr().err
