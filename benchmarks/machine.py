"""How fast this machine is, without a download: the README's table of speed.

    python -m benchmarks.machine [--precision fp32] [--json FILE] [--plot FILE] [--quick]

With `ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2` and in fp32, a CPU does without what it has
beyond AVX2.
"""

import numpy as np
import torch

from benchmarks.photos import group, times
from benchmarks.reference import everyday, seconds
from benchmarks.tables import Row, Table, arguments, show
from enhance.faces.geometry import CROP
from enhance.networks import heap
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.records import Photo


def measure(setup: Setup, quick: bool) -> Row:
    """Seconds of a face, a megapixel and a photo."""
    heap.keep()  # as the engine does
    models = ResidentModels(setup)
    face = np.random.default_rng(0).random((1, CROP, CROP, 3), np.float32)
    size, edge, repeat = ((270, 360), 96, 1) if quick else ((1080, 1440), 1024, 3)
    rgb = group(1, edge, edge)
    photo = Photo("photo", rgb, "PNG")
    restorer, upscaler = models.restorer("bundled"), models.upscaler("compact")
    one_face = seconds(lambda: restorer(face, lambda: None), repeat)
    whole = seconds(lambda: upscaler(photo, times(rgb, 2), Options().tile, lambda: None), repeat)
    return {
        "machine": f"{models.device}, {torch.backends.cpu.get_cpu_capability()}, "
        f"{torch.get_num_threads()} cores, {models.precision}",
        "a face": round(one_face, 3),
        "a megapixel at ×2": round(whole / (edge * edge / 1e6), 2),
        "1080×1440 at ×2, one face": everyday(size, repeat, setup)[0]["s"],
    }


def main(argv: list[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto")
    wanted = parser.parse_args(argv)
    row = measure(Setup(precision=wanted.precision), wanted.quick)
    show([Table("This machine, s", [row], "machine", tuple(list(row)[1:]))], wanted)


if __name__ == "__main__":
    main()
