"""What is found in photos, what they need, and that they get nothing else."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.photos import Damage, Rgb, astronaut, degrade, hopper
from enhance.cli import main
from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Options
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhancer
from enhance.pipeline.findings import detail, look
from enhance.pipeline.needs import asks, decide, enlargement
from enhance.records import EngineInfo, Findings, Photo, Result, Source
from enhance.repair.marks import damage_mask
from enhance.upscaling.noise import blockiness, noise
from tests.conftest import Save
from tests.pictures import as_photo, soft

SAMPLES = Path(__file__).parents[1] / "assets" / "samples"
CLEAN = Findings(
    noise=0.5,
    blocks=0.2,
    detail=0.6,
    damage=0.0,
    faded=0.0,
    yellowed=0.0,
    black=0.0,
    white=1.0,
    gray=False,
    faces=(),
)
SIZE = 640, 480
FADED = replace(CLEAN, faded=1.0, black=0.2, white=0.8)


def gray(rgb: Rgb) -> Rgb:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)


def seen(models: ResidentModels, rgb: Rgb) -> Findings:
    return look(Photo("photo", rgb, "PNG"), models, lambda: None)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("damage", ["none", "grain", "raster"])
def test_detail_is_measured_below_noise_and_raster(times: int, damage: str) -> None:
    photo = soft(astronaut()[:510, :510], times).astype(np.float32)
    if damage == "grain":
        photo += np.random.default_rng(1).normal(0, 12, photo.shape)
    if damage == "raster":
        down, across = np.mgrid[:510, :510]
        photo += (np.cos(2.1 * across + 0.7 * down) * 20)[..., None]
    found = detail(gray(photo.clip(0, 255).astype(np.float32)) / 255)
    assert found > 0.2 if times == 1 else found <= 0.2


@pytest.mark.parametrize("sigma", [1, 2.2, 4, 6])
def test_the_more_a_photo_is_blurred_the_less_detail_it_has(sigma: float) -> None:
    blurred = np.asarray(cv2.GaussianBlur(astronaut(), (0, 0), sigma))
    assert detail(gray(blurred) / 255) < 0.14


def test_plain_noise_has_no_detail() -> None:
    noise = np.random.default_rng(2).normal(0.3, 0.05, (400, 400)).astype(np.float32)
    assert detail(noise) == detail(np.full((300, 300), 0.5, np.float32)) == 0


def steps(findings: Findings, options: Options = Options(size="1x")) -> tuple[str, str, str]:  # noqa: B008
    chosen, _ = decide(options, findings, SIZE)
    return chosen.repair, chosen.tone, chosen.background


# --- Finding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("photo", [astronaut(), hopper()], ids=["astronaut", "hopper"])
@pytest.mark.parametrize("sigma", [4, 10, 20])
def test_noise_is_measured_in_gray_levels(photo: Rgb, sigma: int) -> None:
    grain = np.random.default_rng(0).normal(0, sigma, photo.shape[:2])
    assert noise(gray(photo)) < 2.5
    assert noise(gray(photo) + grain.astype(np.float32)) == pytest.approx(sigma, rel=0.25)


def test_leaves_everywhere_are_no_noise() -> None:
    """Few strong edges in every square, as leaves and grass have; and noise over them."""
    rng = np.random.default_rng(0)
    texture = np.where(rng.random((512, 512)) < 0.1, rng.normal(0, 60, (512, 512)), 0)
    leaves = cv2.GaussianBlur(texture.astype(np.float32), (0, 0), 0.5) + 128
    grain = np.asarray(rng.normal(0, 12, leaves.shape), np.float32)
    assert noise(leaves) == 0
    assert noise(leaves + grain) > 8


def test_blocks_are_seen_wherever_they_begin() -> None:
    compressed = degrade(astronaut(), Damage(blur=0, down=1, noise=0, jpeg=20))
    assert blockiness(gray(astronaut())) < 0.5
    assert blockiness(gray(compressed)) > 1.5
    assert blockiness(gray(compressed)[3:, 5:]) > 1.5


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 9), (33, 30), (200, 20)])
def test_tiny_photos_can_be_looked_at(models: ResidentModels, size: tuple[int, int]) -> None:
    for dtype in (np.uint8, np.uint16):
        found = seen(models, np.full((*size, 3), 100, dtype))
        assert found.noise == found.blocks == found.damage == 0


def test_a_scratch_along_the_very_edge_is_found(models: ResidentModels) -> None:
    photo = hopper().copy()
    photo[:200, -2:] = 240
    found = damage_mask(models.damage_detector(as_photo(photo), lambda: None), 0.5)
    assert found.shape == photo.shape[:2]
    assert found[:200, -2:].mean() > 0.9


# --- Deciding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (CLEAN, ("off", "off", "lanczos")),
        (replace(CLEAN, damage=0.0019), ("off", "off", "lanczos")),
        (replace(CLEAN, damage=0.02), ("on", "off", "auto")),
        (replace(CLEAN, damage=0.002, detail=0.2), ("on", "off", "auto")),
        (replace(FADED, damage=0.001), ("on", "on", "auto")),
        (FADED, ("off", "on", "lanczos")),
        (replace(FADED, white=1.0), ("off", "off", "lanczos")),
        (replace(FADED, black=0.05), ("off", "off", "lanczos")),
        (replace(FADED, black=0.13), ("off", "off", "lanczos")),
        (replace(FADED, black=0.13, damage=0.003), ("on", "on", "auto")),
        (replace(FADED, black=0.5, white=0.92), ("off", "off", "lanczos")),
        (replace(FADED, black=0.5, white=0.85), ("off", "on", "lanczos")),
        (replace(FADED, black=0.05, yellowed=1.0), ("off", "on", "lanczos")),
        (replace(CLEAN, noise=4), ("off", "off", "compact")),
        (replace(CLEAN, blocks=2), ("off", "off", "auto")),
        (replace(CLEAN, detail=0.05), ("off", "off", "auto")),
    ],
)
def test_a_photo_gets_what_it_needs(findings: Findings, expected: tuple[str, str, str]) -> None:
    assert steps(findings) == expected


def test_the_background_is_chosen_by_the_noise_and_the_size() -> None:
    def chosen(noise: float, larger: bool) -> str:
        options = Options(size="2x" if larger else "1x")
        return decide(options, replace(CLEAN, noise=noise), SIZE)[0].background

    assert [chosen(noise, False) for noise in (1, 3, 9)] == ["lanczos", "compact", "auto"]
    assert [chosen(noise, True) for noise in (1, 3, 9)] == ["compact", "compact", "auto"]


@pytest.mark.parametrize(
    ("size", "findings", "times"),
    [
        ((400, 300), replace(CLEAN, detail=0.05), 2),
        ((2000, 1500), CLEAN, 2),
        ((2000, 1500), replace(CLEAN, detail=0.15), 1),
        ((2000, 1500), replace(CLEAN, detail=0.0, noise=9), 2),
        ((4000, 3000), CLEAN, 1),
    ],
)
def test_a_photo_is_enlarged_as_far_as_it_can_carry(
    size: tuple[int, int], findings: Findings, times: int
) -> None:
    assert enlargement(size, findings)[0] == times


def test_a_photo_that_was_enlarged_is_not_enlarged_again(models: ResidentModels) -> None:
    sharp = np.tile(astronaut(), (4, 4, 1))
    soft = cv2.resize(np.tile(astronaut(), (2, 2, 1)), sharp.shape[1::-1])
    assert [enlargement((2048, 2048), seen(models, rgb))[0] for rgb in (sharp, soft)] == [2, 1]


def test_what_a_person_chose_counts() -> None:
    damaged = replace(FADED, damage=0.02, noise=9)
    assert steps(damaged, Options(size="1x", repair="off")) == ("off", "on", "auto")
    assert steps(damaged, Options(size="1x", tone="off")) == ("on", "off", "auto")
    assert steps(CLEAN, Options(size="1x", repair="on", tone="on")) == ("on", "on", "lanczos")
    scratched = replace(CLEAN, damage=0.02)
    assert steps(scratched, Options(size="1x", repair="on", tone="off")) == ("on", "off", "auto")
    named, reasons = decide(Options(size="3x", background="compact"), CLEAN, SIZE)
    assert named.background == "compact"
    assert set(reasons) == {"repair", "tone"}
    decided = Options(repair="on", tone="off", background="lanczos")
    assert [asks(decided, size) for size in (SIZE, (2000, 1500), (4000, 3000))] == [
        False,
        True,
        False,
    ]
    assert decide(decided, None, (4000, 3000))[0].size == "1x"
    assert decide(Options(), CLEAN, SIZE, marked=True)[0].repair == "on"


# --- Doing ----------------------------------------------------------------------------------------


def test_the_samples_get_what_they_need(engine: LocalEngine) -> None:
    names = ("old_print", "blurred_portrait", "small_portrait")
    sources = [Source.of(SAMPLES / f"{name}.jpg") for name in names]
    old, blurred, small = (done.report for done in engine.run(sources, Options()))  # type: ignore[union-attr]
    assert old.repaired > 0.02
    assert old.toned == 1
    assert old.findings and old.findings.gray
    assert set(old.reasons) == {"size", "repair", "tone", "background", "restorer"}
    for clean in (blurred, small):
        assert clean.repaired == clean.toned == 0
        assert len(clean.restored) == 1
        assert clean.background == "compact"


def test_a_clean_photo_stays_as_it_is(models: ResidentModels) -> None:
    enhancer = Enhancer(models, Limits(), EngineInfo("cpu", "fp32", 0))
    photo = Photo("clean", astronaut(), "PNG")
    done = enhancer(photo, Options(size="1x", restorer="none"), lambda: None)
    assert (done.pasted() == photo.rgb).all()
    assert done.report.background == "lanczos"
    assert done.marks is not None and not done.marks.any()


# --- Saying ---------------------------------------------------------------------------------------


def test_the_command_says_what_photos_need(
    save: Save, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    save("clean.png", astronaut())
    (tmp_path / "broken.png").write_bytes(b"no photo")
    assert main(["look", str(tmp_path), str(SAMPLES / "old_print.jpg")]) == 1
    said, failures = capsys.readouterr()
    header, clean, old = said.splitlines()
    assert "damage" in header
    assert (
        "clean.png: Small enough to be doubled. No damage found. The colors have not faded. Sharp"
        in clean
    )
    assert "old_print.jpg: Small enough to be doubled. Damage found." in old
    assert "The colors have faded." in old
    assert "broken.png" in failures
    assert main(["look", "--json", str(tmp_path / "clean.png")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "clean.png"
    assert told["findings"]["noise"] < 1.5
    assert len(told["findings"]["faces"]) == 1
    assert told["reasons"]["repair"] == "No damage found."


def test_a_folder_that_cannot_be_read_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scandir = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path) == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for command in (["look", str(tmp_path)], [str(tmp_path), "-o", str(tmp_path / "out")]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
        said, refusal = capsys.readouterr()
        assert not said and "the photos cannot be listed: " in refusal
        assert f"Permission denied: '{tmp_path}'." in refusal


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_named_pipe_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Nobody will ever write to it, so nobody may wait for it."""
    os.mkfifo(tmp_path / "pipe.jpg")
    assert main(["look", str(tmp_path / "pipe.jpg"), str(SAMPLES / "small_portrait.jpg")]) == 1
    said, failures = capsys.readouterr()
    assert "small_portrait.jpg: " in said
    assert failures == "failed: “pipe.jpg” cannot be read: it is not a regular file.\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_names_that_are_no_text_are_said_too(tmp_path: Path) -> None:
    copyfile(SAMPLES / "small_portrait.jpg", tmp_path / "caf\udce9.jpg")
    command = [sys.executable, "-m", "enhance", "look", str(tmp_path)]
    done = subprocess.run(
        command, cwd=SAMPLES.parents[1], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "caf\\udce9.jpg: " in done.stdout


def test_a_report_has_the_findings(engine: LocalEngine, save: Save) -> None:
    (done,) = engine.run([save("clean.png", astronaut()[:96, :96])], Options(restorer="none"))
    assert isinstance(done, Result)
    assert done.report.findings is not None
    assert "look" in done.report.seconds
