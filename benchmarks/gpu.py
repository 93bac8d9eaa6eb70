"""Everything that a GPU is asked: the same pictures as on the CPU, how fast, with how much memory.

    python -m benchmarks.gpu [--json FILE] [--plot FILE] [--quick]

Runs on whatever device `auto` finds; on a CPU always in its smallest form. GFPGAN's weights are
random, as in benchmarks.reference. Differences are in gray levels of 0..255, between this device in
its usual precision and the CPU in fp32. Photos per minute are those of the command with decoding
and encoding, from the first result to the last.
"""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.memory import in_use
from benchmarks.photos import group, times
from benchmarks.reference import Setting, seconds
from benchmarks.serving import portraits
from benchmarks.tables import Row, Table, arguments, show
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.records import FloatArray, Photo

UPSCALERS = ("realesrgan", "compact")


def never() -> None:
    """A stop check that never stops the work."""


def crops(count: int) -> FloatArray:
    """Faces as a restorer takes them."""
    return np.random.default_rng(0).random((count, 512, 512, 3), np.float32)


def parity(models: ResidentModels, edge: int) -> list[Row]:
    """How far the pictures are from those of the CPU in fp32."""
    exact = ResidentModels(Setup(device="cpu", precision="fp32"))
    rgb, crop = group(1, edge, edge), crops(1)
    photo = Photo("photo", rgb, "PNG")
    pairs = {
        name: [
            m.upscaler(name)(photo, times(rgb, 4), Options().tile, never).rgb
            for m in (models, exact)
        ]
        for name in UPSCALERS
    }
    pairs["gfpgan-1.4"] = [255 * m.restorer("gfpgan-1.4")(crop, never) for m in (models, exact)]
    rows: list[Row] = []
    for name, (here, there) in pairs.items():
        difference = np.abs(here.astype(np.float32) - there)
        rows.append(
            {
                "model": name,
                "mean difference": round(float(difference.mean()), 3),
                "largest": round(float(difference.max()), 1),
            }
        )
    return rows


def faces(models: ResidentModels, batches: tuple[int, ...], repeat: int) -> list[Row]:
    """GFPGAN's network on several faces at once, from main memory and back."""
    restore = models.restorer("gfpgan-1.4")
    rows: list[Row] = []
    for batch in batches:
        x = crops(batch)
        restore(x, never)  # chooses its kernels
        spent = seconds(partial(restore, x, never), repeat)
        rows.append({"faces at once": batch, "ms a face": round(1e3 * spent / batch, 2)})
    return rows


def megapixels(models: ResidentModels, edge: int, repeat: int) -> list[Row]:
    """Whole photos ×2, in tiles."""
    rgb = group(4, edge, edge)
    photo = Photo("photo", rgb, "PNG")
    rows: list[Row] = []
    for name in UPSCALERS:
        work = partial(models.upscaler(name), photo, times(rgb, 2), Options().tile, never)
        work()
        spent = seconds(work, repeat)
        rows.append({"model": name, "s per megapixel": round(spent / (edge * edge / 1e6), 3)})
    return rows


def memory(models: ResidentModels) -> list[Row]:
    """What one replica holds after all of the above."""
    on_device = torch.cuda.max_memory_allocated() if models.device == "cuda" else 0
    return [{"main memory, MB": round(in_use()), "device, MB": round(on_device / 2**20)}]


def command(count: int, tiny: bool) -> list[Row]:
    """Photos per minute of `enhance run`, each with one face."""
    with tempfile.TemporaryDirectory() as folder:
        photos, out = Path(folder) / "photos", Path(folder) / "out"
        photos.mkdir()
        portraits(photos, count, tiny=tiny)
        subprocess.run(
            [sys.executable, "-m", "enhance", "run", str(photos), "-o", str(out), "--quiet"],
            check=True,
        )
        finished = sorted(path.stat().st_mtime for path in out.glob("*.jpg"))
    assert len(finished) == count
    spent = finished[-1] - finished[0]
    return [{"photos": count, "photos per minute": round(60 * (count - 1) / spent, 1)}]


def measure(quick: bool) -> list[Table]:
    models = ResidentModels(Setup())
    small = quick or models.device == "cpu"
    edge, batches, repeat = (32, (1,), 1) if small else (1024, (1, 8, 32), 10)
    with Setting():
        rows = [
            parity(models, 32 if small else 256),
            faces(models, batches, repeat),
            megapixels(models, edge, repeat),
            memory(models),
        ]
    where = f"{models.device}, {models.precision}"
    return [
        Table(f"Against the CPU in fp32: {where}", rows[0]),
        Table("Faces at once", rows[1], "faces at once", ("ms a face",)),
        Table("Backgrounds, ×2", rows[2]),
        Table("Memory of a replica", rows[3]),
        Table("The command", command(3 if small else 100, tiny=small)),
    ]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
