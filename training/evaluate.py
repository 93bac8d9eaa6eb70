"""Judge the compact network on photos that it never saw.

    python -m training.evaluate PHOTOS [--weights FILE] [--json FILE] [--sheet FILE]

Each held-out photo, damaged at three strengths, is enlarged ×4 by the compact network, by its
teacher and by Lanczos. PSNR and gradients are relative to the teacher; NIQE needs no original
(lower is better); raster is the energy that is left of a print raster at its own frequency.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from safetensors.torch import load_file
from skimage.metrics import peak_signal_noise_ratio

from benchmarks.photos import Damage, times
from benchmarks.photos import degrade as damage
from benchmarks.tables import Row, Table, show
from benchmarks.upstream import prepare
from enhance.networks.resident import Device
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels, srvgg_upscaler
from enhance.pipeline.protocols import Upscaler
from enhance.upscaling.interpolation import resized
from training.data import taught, teacher
from training.photos import Image, held_out_photos

_OPTIONS = Options(tile=256, working_size="full")
_EDGE = 256  # of the part that is judged
_STRENGTHS = {
    "light": Damage(blur=0.6, down=1, noise=3, jpeg=85),
    "medium": Damage(blur=1.2, down=1, noise=8, jpeg=60),
    "heavy": Damage(blur=2.2, down=1, noise=14, jpeg=35),
}
_PITCHES = (2.4, 3.3, 4.6)  # of a print raster, pixels


def student(weights: Path | None) -> Upscaler:
    """The compact network as the product has it, or with other weights."""
    if weights is None:
        return ResidentModels(Setup()).upscaler("compact")
    return srvgg_upscaler(load_file(weights), Device.of(Setup()))


def made_by(upscaler: Upscaler, photo: Image) -> Image:
    """×4."""
    return upscaler(photo, times(photo, 4), _OPTIONS, lambda: None).rgb


def part_of(photo: Image) -> Image:
    """The middle of a photo, which is brought to about 400 pixels before."""
    scale = max(0.25, 400 / min(photo.shape[:2]))
    if scale < 1:
        photo = np.asarray(
            cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
    top, left = ((length - _EDGE) // 2 for length in photo.shape[:2])
    return np.ascontiguousarray(photo[top : top + _EDGE, left : left + _EDGE])


def gradient_energy(picture: Image) -> float:
    """Mean absolute difference of neighbours."""
    values = picture.astype(np.float32)
    return float(sum(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1)))


def raster_left(upscaler: Upscaler, photo: Image, pitch: float) -> float:
    """Share of a print raster's energy at its own frequencies that is still there, at ×1.

    A raster is dots, so waves in two directions; lines in one direction are somebody's shirt.
    """
    down, across = np.mgrid[: photo.shape[0], : photo.shape[1]] * (2 * np.pi / pitch)
    phases = [0.9 * across + 0.435 * down, 0.9 * down - 0.435 * across]
    calm = photo // 2 + np.uint8(64)  # so that nothing is clipped
    dots = sum(16 * np.cos(phase) for phase in phases)[..., None]
    printed = (calm + dots).clip(0, 255).astype(np.uint8)
    window = np.outer(*(np.hanning(n) for n in photo.shape[:2]))

    def energy(picture: Image) -> float:
        grey = picture.mean(2) * window
        return sum(float(np.abs((grey * np.exp(1j * phase)).sum()) ** 2) for phase in phases)

    cleaned = upscaler(printed, times(printed, 1), _OPTIONS, lambda: None).rgb
    return energy(cleaned) / energy(printed)


def judge(photos: Path, weights: Path | None) -> tuple[list[Table], Image]:
    """The tables, and a sheet of Lanczos, compact and teacher at medium damage, a row a photo."""
    prepare()
    from basicsr.metrics import calculate_niqe

    def niqe(picture: Image) -> float:
        return float(calculate_niqe(np.asarray(picture[..., ::-1]), 0))

    compact, real_esrgan = student(weights), teacher()
    held_out = [(name, part_of(photo)) for name, photo in held_out_photos(photos)]
    tables, sheet = [], []
    for strength, wanted in _STRENGTHS.items():
        rows: list[Row] = []
        for number, (name, clean) in enumerate(held_out):
            photo = damage(clean, wanted, seed=number)
            ours, theirs, plain = (
                made_by(compact, photo),
                taught(real_esrgan, photo),
                resized(photo, times(photo, 4)),
            )
            rows.append(
                {
                    "photo": name,
                    "PSNR to the teacher, dB": round(
                        float(peak_signal_noise_ratio(theirs, ours)), 2
                    ),
                    "gradients / teacher's": round(
                        gradient_energy(ours) / gradient_energy(theirs), 2
                    ),
                    "NIQE compact": round(niqe(ours), 2),
                    "NIQE teacher": round(niqe(theirs), 2),
                    "NIQE lanczos": round(niqe(plain), 2),
                }
            )
            if strength == "medium":
                sheet.append(np.hstack([p[256:768, 256:768] for p in (plain, ours, theirs)]))
        tables.append(Table(f"Damage: {strength}", [*rows, _means(rows)]))
    left = [
        {
            "photo": name,
            **{f"pitch {p} px": f"{raster_left(compact, c, p):.1%}" for p in _PITCHES},
        }
        for name, c in held_out
    ]
    return [*tables, Table("Energy left of a print raster", left)], np.vstack(sheet)


def _means(rows: list[Row]) -> Row:
    columns: dict[str, Any] = {"photo": "mean"}
    for key in list(rows[0])[1:]:
        columns[key] = round(float(np.mean([row[key] for row in rows])), 2)
    return columns


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="where get_photos.sh unpacked")
    parser.add_argument("--weights", type=Path, help="other weights than the product's")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the tables")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="lanczos, compact, teacher")
    args = parser.parse_args()
    args.plot = None
    tables, sheet = judge(args.photos, args.weights)
    show(tables, args)
    if args.sheet:
        Pillow.fromarray(sheet).reduce(2).save(args.sheet, quality=85)


if __name__ == "__main__":
    main()
