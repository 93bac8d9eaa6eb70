"""Judge the compact network on photos that it never saw.

    python -m training.evaluate PHOTOS [--weights FILE] [--json FILE] [--sheet FILE]

Each held-out photo is shrunk by half, damaged, and enlarged twice by Lanczos, by the compact
network as the product runs it, and by Real-ESRGAN ×4 plus; the results are compared with the photo.
Detail kept is the projection of a picture's detail finer than a sigma of two pixels on that of the
truth: 1 if all of it is there. NIQE needs no truth (lower is better). Raster is the energy that is
left of a print raster at its own frequency.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.photos import Damage, times
from benchmarks.photos import degrade as damage
from benchmarks.tables import Row, Table, show
from benchmarks.upstream import prepare
from enhance.networks.resident import Device
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels, compact_upscaler
from enhance.pipeline.protocols import Upscaler
from enhance.records import Photo
from training.degrade import Float
from training.photos import Image, held_out_photos, unseen_photos
from training.student import new_student

_TILE = Options().tile
_EDGE = 512  # of the part that is judged
_DAMAGES = {
    "none": Damage(blur=0, down=1, noise=0, jpeg=100),
    "light": Damage(blur=0.6, down=1, noise=3, jpeg=85),
    "medium": Damage(blur=1.0, down=1, noise=8, jpeg=60),
    "heavy": Damage(blur=1.6, down=1, noise=14, jpeg=40),
}
_PITCHES = (2.4, 3.3, 4.6)  # of a print raster, pixels


def made_by(upscaler: Upscaler, photo: Image, upscale: float) -> Image:
    """What an upscaler makes of a photo."""
    return upscaler(Photo("photo", photo, "PNG"), times(photo, upscale), _TILE, lambda: None).rgb


def part_of(photo: Image) -> Image:
    """The middle of a photo, which is brought to about 700 pixels before."""
    scale = min(1.0, max(0.25, 700 / min(photo.shape[:2])))
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (max(0, length - _EDGE) // 2 for length in small.shape[:2])
    part = small[top : top + _EDGE, left : left + _EDGE]
    height, width = (side // 4 * 4 for side in part.shape[:2])
    return np.ascontiguousarray(part[:height, :width], np.uint8)


def detail_kept(picture: Image, truth: Image) -> float:
    """How much of the truth's fine detail is in a picture."""
    ours, its = _fine(picture), _fine(truth)
    return float((ours * its).sum() / (its * its).sum())


def _fine(picture: Image) -> Float:
    x: Float = picture.astype(np.float32)
    return x - cv2.GaussianBlur(x, (0, 0), 2)


def gradient_energy(picture: Image) -> float:
    """Mean absolute difference of neighbors."""
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
        gray = picture.mean(2) * window
        return sum(float(np.abs((gray * np.exp(1j * phase)).sum()) ** 2) for phase in phases)

    return energy(made_by(upscaler, printed, 1)) / energy(printed)


def judge(photos: Path, weights: Path | None) -> tuple[list[Table], Image]:
    """The tables, and a sheet at medium damage: Lanczos, compact, ×4 plus, truth, a row a photo."""
    prepare()
    from basicsr.metrics import calculate_niqe

    models = ResidentModels(Setup())
    compact = models.upscaler("compact")
    if weights:
        compact = compact_upscaler(new_student(weights), Device.of(Setup()))
    upscalers = {
        "lanczos": models.upscaler("lanczos"),
        "compact": compact,
        "×4 plus": models.upscaler("realesrgan"),
    }
    measures: dict[str, Callable[[Image, Image], float]] = {
        "PSNR, dB": peak_signal_noise_ratio,
        "SSIM": lambda a, b: structural_similarity(a, b, channel_axis=2),
        "detail kept": detail_kept,
        "gradients / truth's": lambda a, b: gradient_energy(a) / gradient_energy(b),
        "NIQE": lambda a, _: calculate_niqe(np.asarray(a[..., ::-1]), 0),
    }
    parts = [
        (name, part_of(photo))
        for photos_of in (held_out_photos, unseen_photos)
        for name, photo in photos_of(photos)
    ]
    tables, sheet = [], []
    for strength, wanted in _DAMAGES.items():
        found: dict[str, list[list[float]]] = {name: [] for name in upscalers}
        for number, (_, truth) in enumerate(parts):
            half = cv2.resize(truth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            seen = damage(np.asarray(half, np.uint8), wanted, seed=number)
            made = {name: made_by(upscaler, seen, 2) for name, upscaler in upscalers.items()}
            for name, picture in made.items():
                found[name].append([float(f(picture, truth)) for f in measures.values()])
            if strength == "medium":
                middle = np.s_[truth.shape[0] // 2 - 128 :, truth.shape[1] // 2 - 128 :]
                shown = [picture[middle][:256, :256] for picture in (*made.values(), truth)]
                sheet.append(np.hstack(shown))
        rows: list[Row] = [
            {"upscaler": name, **_rounded(measures, np.mean(values, axis=0))}
            for name, values in found.items()
        ]
        tables.append(Table(f"×2, damage: {strength}", rows))
    return [*tables, *_at_the_same_size(compact, parts)], np.vstack(sheet)


def _at_the_same_size(compact: Upscaler, parts: list[tuple[str, Image]]) -> list[Table]:
    """What becomes of clean photos, and of print raster, at ×1."""
    clean: list[Row] = []
    left: list[Row] = []
    for name, photo in parts:
        made = made_by(compact, photo, 1)
        ssim = structural_similarity(made, photo, channel_axis=2)
        kept = {"detail kept": round(detail_kept(made, photo), 3), "SSIM": round(float(ssim), 3)}
        clean.append({"photo": name, **kept})
        shares = {f"pitch {p} px": f"{raster_left(compact, photo, p):.1%}" for p in _PITCHES}
        left.append({"photo": name, **shares})
    return [Table("Clean photos at ×1", clean), Table("Energy left of a print raster", left)]


def _rounded(names: Any, values: Any) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(names, values, strict=True)}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="where get_photos.sh unpacked")
    parser.add_argument("--weights", type=Path, help="other weights than the product's")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the tables")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="a row of pictures a photo")
    args = parser.parse_args()
    args.plot = None
    tables, sheet = judge(args.photos, args.weights)
    show(tables, args)
    if args.sheet:
        Pillow.fromarray(sheet).save(args.sheet, quality=88)


if __name__ == "__main__":
    main()
