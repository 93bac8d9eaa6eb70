"""Every benchmark in its smallest form: that it works, not how fast anything is."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.folders import QUICK

pytestmark = pytest.mark.timeout(1200)  # nine at once take minutes

Tables = list[list[dict[str, Any]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make bench` saves and prints: all but the few that it leaves out."""
    folder = tmp_path_factory.mktemp("benchmarks")
    with (folder / "printed").open("w") as printed:
        command = [sys.executable, "-m", "benchmarks", "--quick", "--into", str(folder)]
        subprocess.run(command, stdout=printed, check=True)
    return folder


def measured(saved: Path) -> Tables:
    """The rows of a benchmark's tables, in order; they have been drawn, too."""
    with Image.open(saved.with_suffix(".png")) as plot:
        assert plot.width > 100
    tables: dict[str, Any] = json.loads(saved.read_text("utf-8"))
    for row in (row for rows in tables.values() for row in rows):
        assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
    return list(tables.values())


def alone(name: str, folder: Path, *more: str) -> Tables:
    """The same of one that `make bench` leaves out."""
    saved, drawn = folder / "tables.json", folder / "tables.png"
    command = ["-m", name, "--quick", "--json", str(saved), "--plot", str(drawn)]
    subprocess.run([sys.executable, *command, *more], stdout=subprocess.DEVNULL, check=True)
    return measured(saved)


def test_all_print_their_tables(folder: Path) -> None:
    printed = (folder / "printed").read_text("utf-8")
    names = [line[2:] for line in printed.splitlines() if line.startswith("# ")]
    assert sorted(names) == sorted(path.stem for path in folder.glob("*.json"))
    assert "| concurrency | first, s |" in printed


def test_machine(folder: Path) -> None:
    ((row,),) = measured(folder / "machine.json")
    assert row.pop("machine")
    assert len(row) == 3 and all(row.values())


def test_streaming(folder: Path) -> None:
    single, batch, plain = measured(folder / "streaming.json")
    assert [row["concurrency"] for row in single + plain] == [1, 2, 1, 2]
    assert {row["success"] for row in single + plain} == {"100%"}
    assert [row["way"] for row in batch] == ["streamed", "collected, then shown"]


def test_fairness(folder: Path) -> None:
    through_api, at_page = measured(folder / "fairness.json")
    for rows in (through_api, at_page):
        assert rows and all(row["beside the batch, s"] > 0 for row in rows)


def test_overhead(folder: Path) -> None:
    added, cold = measured(folder / "overhead.json")
    ways = [row["way"].split(",")[0] for row in added]
    assert ways == ["HTTP", "Python client", "Python client", "page"]
    moments = [row["s"] for row in cold]
    assert moments == sorted(moments), "it listens, then has its models, then a result"


def test_growth(folder: Path) -> None:
    through_api, at_page, (resized,), (cleaned,), faces = measured(folder / "growth.json")
    for rows in (through_api, at_page):
        assert [row["photos"] for row in rows] == [2, 4]
        assert all(row["sent, kB a photo"] > 0.5 for row in rows), "the meter saw nothing"
    assert cleaned["peak above idle, MB"] > resized["peak above idle, MB"] > 0
    assert [row["faces"] for row in faces] == [1]


def test_folders(folder: Path) -> None:
    runs, (whole,), stages = measured(folder / "folders.json")
    assert [row["ended by"] for row in runs] == ["SIGKILL"] * 3 + ["itself"]
    assert sum(row["photos done"] for row in runs) == QUICK, "each once"
    assert all(row["photos done"] > 0 for row in runs)
    assert whole["photos"] == 3 and whole["photos an hour"] > 0
    assert {"detect", "upscale"} <= {row["stage"] for row in stages}


def test_scaling(folder: Path) -> None:
    throughput, fairness = measured(folder / "scaling.json")
    assert [row["models"][0] for row in throughput] == ["1", "2", "l"]
    assert all(row["photos a minute"] > 0 for row in throughput)
    assert fairness and all(row["beside two batches, s"] > 0 for row in fairness)


def test_reference(folder: Path) -> None:
    for rows in measured(folder / "reference.json"):
        assert rows and all((row.get("ratio") or row["s"]) > 0 for row in rows)


def test_quality(folder: Path) -> None:
    (rows,) = measured(folder / "quality.json")
    scores = {row["method"]: row for row in rows}
    for method in ("realesrgan + bundled", "compact"):
        assert scores[method]["NIQE ↓"] < scores["lanczos"]["NIQE ↓"]
    with Image.open(folder / "quality_sheet.jpg") as picture:
        assert picture.size == (256 * (len(rows) + 1), 256)


def test_gpu(tmp_path: Path) -> None:
    parity, faces, backgrounds, memory, command = alone("benchmarks.gpu", tmp_path)
    assert all(row["mean difference"] < 2 for row in parity)
    assert [row["faces at once"] for row in faces] == [1]
    assert all(row["s per megapixel"] > 0 for row in backgrounds)
    assert memory[0]["main memory, MB"] > 100
    assert command[0]["photos per minute"] > 0


def test_repair(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    drawn, clean, fading, speed = alone("training.evaluate_repair", tmp_path, "--sheet", str(sheet))
    assert [row["damage"] for row in drawn] == ["thin scratches", "light", "medium", "heavy"]
    assert all(row["PSNR repaired, dB"] > row["PSNR damaged, dB"] for row in drawn)
    assert len(clean) == 1
    assert fading[-1]["toned, ΔE"] < fading[-1]["faded, ΔE"]
    assert [row["step"] for row in speed] == ["find", "fill", "tone"]
    with Image.open(sheet) as picture:
        assert picture.width > picture.height / 2


def test_hostile(tmp_path: Path) -> None:
    (rows,) = alone("benchmarks.hostile", tmp_path)
    assert len(rows) == 7
    assert all(row["requests"] > 0 and row["photos"] > 0 for row in rows)
    assert {row["lost"] for row in rows} == {0}
