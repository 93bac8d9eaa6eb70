"""Every benchmark in its smallest form: that it works, not how fast anything is."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

Tables = dict[str, list[dict[str, Any]]]


def measured(name: str, folder: Path, *more: str) -> list[list[dict[str, Any]]]:
    """The rows of its tables, in order; what it prints goes to a file beside them."""
    saved, drawn = folder / "tables.json", folder / "plot.png"
    command = ["-m", name, "--quick", "--json", str(saved), "--plot", str(drawn)]
    with (folder / "printed").open("w") as printed:
        subprocess.run([sys.executable, *command, *more], stdout=printed, check=True)
    with Image.open(drawn) as plot:
        assert plot.width > 100
    tables: Tables = json.loads(saved.read_text("utf-8"))
    for row in (row for rows in tables.values() for row in rows):
        assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
    return list(tables.values())


def test_streaming(tmp_path: Path) -> None:
    single, batch, plain = measured("benchmarks.streaming", tmp_path)
    assert [row["concurrency"] for row in single + plain] == [1, 2, 1, 2]
    assert {row["success"] for row in single + plain} == {"100%"}
    assert [row["way"] for row in batch] == ["streamed", "collected, then shown"]
    assert "| concurrency | first, s |" in (tmp_path / "printed").read_text("utf-8")


def test_fairness(tmp_path: Path) -> None:
    through_api, at_page = measured("benchmarks.fairness", tmp_path)
    for rows in (through_api, at_page):
        assert rows and all(row["beside the batch, s"] > 0 for row in rows)


def test_overhead(tmp_path: Path) -> None:
    added, cold = measured("benchmarks.overhead", tmp_path)
    ways = [row["way"].split(",")[0] for row in added]
    assert ways == ["HTTP", "Python client", "Python client", "page"]
    moments = [row["s"] for row in cold]
    assert moments == sorted(moments), "it listens, then has its models, then a result"


def test_growth(tmp_path: Path) -> None:
    through_api, at_page, sizes, cleaned, faces = measured("benchmarks.growth", tmp_path)
    for rows in (through_api, at_page):
        assert [row["photos"] for row in rows] == [2, 4]
        assert all(row["sent, kB a photo"] > 0.5 for row in rows), "the meter saw nothing"
    assert sizes[0]["result, MB"] < sizes[1]["result, MB"]
    assert cleaned[0]["peak above idle, MB"] > 10
    assert [row["faces"] for row in faces] == [1]


def test_scaling(tmp_path: Path) -> None:
    throughput, fairness = measured("benchmarks.scaling", tmp_path)
    assert [row["models"][0] for row in throughput] == ["1", "2", "l"]
    assert all(row["photos a minute"] > 0 for row in throughput)
    assert fairness and all(row["beside two batches, s"] > 0 for row in fairness)


def test_reference(tmp_path: Path) -> None:
    for rows in measured("benchmarks.reference", tmp_path):
        assert rows and all((row.get("ratio") or row["s"]) > 0 for row in rows)


def test_gpu(tmp_path: Path) -> None:
    parity, faces, backgrounds, memory, command = measured("benchmarks.gpu", tmp_path)
    assert all(row["mean difference"] < 2 for row in parity)
    assert [row["faces at once"] for row in faces] == [1, 2]
    assert all(row["s per megapixel"] > 0 for row in backgrounds)
    assert memory[0]["main memory, MB"] > 100
    assert command[0]["photos per minute"] > 0


def test_quality(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    (rows,) = measured("benchmarks.quality", tmp_path, "--sheet", str(sheet))
    scores = {row["method"]: row for row in rows}
    for method in ("realesrgan + bundled", "compact"):
        assert scores[method]["NIQE ↓"] < scores["lanczos"]["NIQE ↓"]
    with Image.open(sheet) as picture:
        assert picture.size == (256 * (len(rows) + 1), 256)


def test_repair(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.jpg"
    drawn, clean, fading, speed = measured(
        "training.evaluate_repair", tmp_path, "--sheet", str(sheet)
    )
    assert [row["damage"] for row in drawn] == ["thin scratches", "light", "medium", "heavy"]
    assert all(row["PSNR repaired, dB"] > row["PSNR damaged, dB"] for row in drawn)
    assert len(clean) == 1
    assert fading[-1]["toned, ΔE"] < fading[-1]["faded, ΔE"]
    assert [row["step"] for row in speed] == ["find", "fill", "tone"]
    with Image.open(sheet) as picture:
        assert picture.width > picture.height / 2


def test_machine(tmp_path: Path) -> None:
    ((row,),) = measured("benchmarks.machine", tmp_path)
    assert row.pop("machine")
    assert len(row) == 3 and all(row.values())


def test_hostile(tmp_path: Path) -> None:
    (rows,) = measured("benchmarks.hostile", tmp_path)
    assert len(rows) == 7
    assert all(row["requests"] > 0 and row["photos"] > 0 for row in rows)
    assert {row["lost"] for row in rows} == {0}
