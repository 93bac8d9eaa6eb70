"""Is the result better? NIQE of the picture, PSNR and SSIM of the face, on seeded damage.

    python -m benchmarks.quality [--json FILE] [--sheet FILE]

Each public-domain portrait is damaged (blur, ×4 down, noise, JPEG), enlarged back by every method
and compared with the original. NIQE: lower is better, needs no original; PSNR in dB and SSIM:
higher is better, measured in the face's box.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.photos import Damage, Rgb, astronaut, degrade, hopper
from enhance.build import load_enhancer
from enhance.compat import prepare
from enhance.pipeline import Enhancer
from enhance.records import Limits, Options, Photo, Setup

UPSCALE = 4
DAMAGES = {
    "light": Damage(blur=0.6, down=UPSCALE, noise=2, jpeg=75),
    "medium": Damage(blur=1.5, down=UPSCALE, noise=6, jpeg=40),
    "heavy": Damage(blur=3.0, down=UPSCALE, noise=10, jpeg=30),
}
Method = Callable[[Rgb], Rgb]


def methods(enhancer: Enhancer) -> dict[str, Method]:
    """By name: a function from the damaged photo to one four times as large."""

    def enlarge(interpolation: int) -> Method:
        return lambda rgb: np.asarray(
            cv2.resize(rgb, None, fx=UPSCALE, fy=UPSCALE, interpolation=interpolation)
        )

    def enhance(options: Options) -> Method:
        return lambda rgb: enhancer(Photo("photo", rgb, "PNG"), options, lambda: None).pasted()

    return {
        "bicubic": enlarge(cv2.INTER_CUBIC),
        "lanczos + bundled": enhance(Options(upscale=UPSCALE, background="lanczos")),
        "realesrgan + bundled": enhance(Options(upscale=UPSCALE, background="realesrgan")),
    }


def measure() -> tuple[list[dict[str, Any]], Rgb]:
    """One row per photo, damage and method; and a contact sheet of all of them."""
    prepare()
    from basicsr.metrics import calculate_niqe

    enhancer = load_enhancer(Setup(), Limits())
    rows: list[dict[str, Any]] = []
    sheet = []
    for name, clean in (("astronaut", astronaut()), ("hopper", hopper()[:600, :512])):
        whole = enhancer(Photo(name, clean, "PNG"), Options(upscale=1, weight=0), lambda: None)
        left, top, right, bottom = (round(v) for v in whole.report.faces[0].box)
        face = slice(top, bottom), slice(left, right)
        for strength, damage in DAMAGES.items():
            damaged = degrade(clean, damage)
            cells = [clean]
            for method, run in methods(enhancer).items():
                result = run(damaged)
                rows.append(
                    {
                        "photo": name,
                        "damage": strength,
                        "method": method,
                        "niqe": round(float(calculate_niqe(result[..., ::-1], 0)), 2),
                        "psnr": round(peak_signal_noise_ratio(clean[face], result[face]), 2),
                        "ssim": round(
                            structural_similarity(clean[face], result[face], channel_axis=2), 3
                        ),
                    }
                )
                cells.append(result)
            sheet.append(np.hstack([cell[:512] for cell in cells]))
    return rows, np.vstack(sheet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="a picture of all results side by side")
    wanted = parser.parse_args()
    rows, sheet = measure()
    print("| photo | damage | method | NIQE ↓ | PSNR ↑ | SSIM ↑ |\n|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")
    if wanted.json:
        wanted.json.write_text(json.dumps(rows, indent=1))
    if wanted.sheet:
        Image.fromarray(sheet).save(wanted.sheet)


if __name__ == "__main__":
    main()
