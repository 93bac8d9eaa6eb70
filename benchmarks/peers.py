"""Beside what else installs with pip and runs on this machine: seconds and NIQE, same photos.

    python -m benchmarks.peers [--json FILE] [--plot FILE] [--quick]

Two public-domain portraits at half their size, blurred, noisy and compressed, are enlarged four
times by every program, one after another in one run. Seconds are per megapixel of the photo. NIQE
judges the result without an original; lower is better. The x4plus weights are the real ones in all
rows. Those of GFPGAN are random, since the real ones are not bundled: they cost the same, but what
they draw is noise, so these rows have no NIQE.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.photos import Damage, Rgb, astronaut, degrade, hopper
from benchmarks.reference import Setting, seconds, upstream_restorer, upstream_upscaler
from benchmarks.tables import Row, Table, arguments, show
from benchmarks.upstream import prepare
from enhance.build import load_enhancer
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline import Enhancer
from enhance.records import Photo

UPSCALE = 4
DAMAGE = Damage(blur=1.0, down=2, noise=5, jpeg=50)
FACES = "GFPGAN, random weights"
Way = Callable[[Rgb], Rgb]


def ways(setting: Setting, enhancer: Enhancer) -> dict[str, Way]:
    """By name: from a photo to one four times as large; all but GFPGANer."""

    def here(**options: Any) -> Way:
        chosen = Options(upscale=UPSCALE, **options)
        return lambda rgb: enhancer(Photo("photo", rgb, "PNG"), chosen, lambda: None).pasted()

    upscaler = upstream_upscaler(setting.folder)
    return {
        "OpenCV, bicubic": lambda rgb: np.asarray(
            cv2.resize(rgb, None, fx=UPSCALE, fy=UPSCALE, interpolation=cv2.INTER_CUBIC)
        ),
        "here: compact": here(restorer="none", background="compact"),
        "here: compact, bundled faces": here(restorer="bundled", background="compact"),
        "here: realesrgan": here(restorer="none", background="realesrgan"),
        "here: realesrgan, full size": here(
            restorer="none", background="realesrgan", working_size="full"
        ),
        "realesrgan 0.3.0: RealESRGANer": lambda rgb: upscaler.enhance(rgb[..., ::-1])[0][
            ..., ::-1
        ],
        "spandrel 0.4.2: its RRDBNet": spandrel_upscaler(setting.folder / "x4plus.pth"),
        f"here: {FACES}": here(restorer="gfpgan-1.4", background="lanczos"),
    }


def upstream_faces(setting: Setting, enhancer: Enhancer, photo: Rgb) -> Way:
    """GFPGANer, which finds the faces of `photo` as we do."""
    plain = Options(upscale=UPSCALE, background="lanczos", weight=0)
    faces = list(enhancer(Photo("photo", photo, "PNG"), plain, lambda: None).report.faces)
    restorer = upstream_restorer(setting.folder, setting.checkpoint, faces, UPSCALE)
    return lambda rgb: restorer.enhance(rgb[..., ::-1])[2][..., ::-1]


def spandrel_upscaler(weights: Path) -> Way:
    """The weights as spandrel loads them, on the CPU, the photo as a whole."""
    from spandrel import ModelLoader

    model = ModelLoader("cpu").load_from_file(weights)

    def run(rgb: Rgb) -> Rgb:
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255
            y = model(x)[0].permute(1, 2, 0).clamp(0, 1)
        return (255 * y).round().byte().numpy()

    return run


def measure(quick: bool) -> list[Table]:
    prepare()
    from basicsr.metrics import calculate_niqe

    photos = [degrade(astronaut(), DAMAGE), degrade(hopper(), DAMAGE)]
    if quick:
        photos = [photos[0][:64, 60:160]]
    found: dict[str, list[tuple[float, float]]] = {}
    with Setting() as setting:
        enhancer = load_enhancer(Setup(), Limits())
        same = ways(setting, enhancer)
        for photo in photos:
            megapixels = photo.shape[0] * photo.shape[1] / 1e6
            faces = {f"gfpgan 1.3.8: {FACES}": upstream_faces(setting, enhancer, photo)}
            for name, way in (same | faces).items():
                spent = seconds(functools.partial(way, photo), 1 if quick else 2) / megapixels
                niqe = float(calculate_niqe(np.asarray(way(photo)[..., ::-1]), 0))
                found.setdefault(name, []).append((spent, niqe))
    rows: list[Row] = []
    for name, each in found.items():
        spent, niqe = np.mean(each, axis=0)
        rows.append(
            {
                "program": name,
                "s per megapixel": round(spent, 2),
                "NIQE ↓": None if FACES in name else round(niqe, 2),
            }
        )
    return [Table("Portraits of 256 pixels, ×4", rows, "program", ("s per megapixel",))]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
