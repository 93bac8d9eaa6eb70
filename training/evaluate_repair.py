"""Are old prints made whole? Damage found and filled, clean photos left alone, fading undone.

    python -m training.evaluate_repair [--json FILE] [--plot FILE] [--sheet FILE] [--quick]
                                       [--photos FOLDER]

Damage is drawn (`training.damage`) at three strengths over photos that the detector was never
trained on. Recall: share of the damaged pixels that are marked. Precision: share of the marked ones
that lie within two pixels of damage, for marks are meant to reach a little further. Damage fainter
than 16 gray levels counts neither way. PSNR is taken at the damaged pixels. FOLDER: where
`training/get_photos.sh` unpacked; more photos are there.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image
from skimage.color import rgb2lab

from benchmarks.photos import Rgb, astronaut, hopper
from benchmarks.tables import Row, Table, arguments, show
from enhance.options import Setup
from enhance.pipeline.build import ResidentModels
from enhance.records import Mask, Photo
from enhance.repair.fill import fill
from enhance.repair.marks import damage_mask, spare_faces
from enhance.repair.tone import judge, tone
from training.damage import Kinds, draw, labels, thin_scratch
from training.photos import held_out_photos, unseen_photos

STRENGTHS = {"light": 0.15, "medium": 0.4, "heavy": 0.9}
_THIN: Kinds = ((thin_scratch, 1.0, 5),)
_PATCH = 300  # pixels; a square of this size gets the damage of one training patch
_LONGEST = 1000  # pixels of the photos that are damaged
_SHOWN, _ON_SHEET = 420, 4  # pixels of each cell of the sheet, and how many photos are on it
_NEAR = 2  # pixels: a mark so far from damage is right
_FAINT = 16.0  # gray levels: damage that differs less from the photo counts neither way
_GOALS = {"recall": 0.85, "precision": 0.8}


def photos(folder: Path | None) -> Iterator[tuple[str, Rgb]]:
    """Photos that the detector was never trained on."""
    yield "astronaut", astronaut()
    yield "hopper", hopper()
    shipped = Path(skimage.data.__file__).parent
    for name in ("chelsea", "coffee", "motorcycle_left", "coins"):
        with Image.open(shipped / f"{name}.png") as image:
            yield name, np.asarray(image.convert("RGB"))
    if folder:
        known = ("astronaut", "chelsea", "coffee")
        yield from ((name, p) for name, p in held_out_photos(folder) if name not in known)
        yield from unseen_photos(folder)


class Repair:
    """The product's repair, step by step."""

    def __init__(self) -> None:
        self.models = ResidentModels(Setup())

    def marks(self, rgb: Rgb, sensitivity: float = 0.5) -> Mask:
        """Which pixels are marked."""
        likelihood = self.models.damage_detector(Photo("photo", rgb, "PNG"), lambda: None)
        marks = damage_mask(likelihood, sensitivity)
        return spare_faces(
            marks, likelihood, self.models.detector("retinaface-mobilenet")(rgb, 0.5)
        )


def damaged(clean: Rgb, strength: str, seed: int) -> tuple[Rgb, Mask, Mask]:
    """The photo damaged; where; and where a mark is right."""
    rng = np.random.default_rng(seed)
    marked, alpha = clean.astype(np.float32), np.zeros(clean.shape[:2], np.float32)
    kinds, amount = (None, STRENGTHS[strength]) if strength in STRENGTHS else (_THIN, 0.6)
    patches = max(1, clean.shape[0] * clean.shape[1] // _PATCH**2)
    for _ in range(patches if kinds is None else 3):
        marked, more = draw(marked, amount, rng, kinds)
        alpha = np.maximum(alpha, more)
    seen, untouched = labels(clean.astype(np.float32), marked, alpha, _FAINT)
    around = np.ones((2 * _NEAR + 1,) * 2, np.uint8)
    near = cv2.dilate((~untouched).view(np.uint8), around).view(np.bool_)
    return marked.round().astype(np.uint8), seen, near


def psnr(picture: Rgb, other: Rgb, where: Mask) -> float:
    """In dB, of the pixels in `where`."""
    error = float(np.mean((picture[where].astype(np.float32) - other[where]) ** 2)) / 255**2
    return float(-10 * np.log10(max(error, 1e-10)))


def found_and_filled(repair: Repair, each: list[tuple[str, Rgb]]) -> tuple[list[Table], Rgb]:
    """What becomes of drawn damage; and a sheet of clean, damaged, marked and repaired."""
    rows, cells = [], []
    for strength in ("thin scratches", *STRENGTHS):
        scores = []
        for seed, (_, clean) in enumerate(each):
            photo, truth, near = damaged(clean, strength, seed)
            marks = repair.marks(photo)
            whole = fill(photo, marks)
            scores.append(
                (
                    (marks & truth).sum() / max(truth.sum(), 1),
                    (marks & near).sum() / max(marks.sum(), 1),
                    truth.mean(),
                    psnr(photo, clean, truth),
                    psnr(whole, clean, truth),
                    psnr(whole, clean, ~near),
                )
            )
            if seed < _ON_SHEET:
                shown = photo.copy()
                shown[marks] = (255, 0, 0)
                cells.append(np.hstack([_cell(p) for p in (clean, photo, shown, whole)]))
        recall, precision, share, before, after, outside = np.mean(scores, axis=0)
        row: Row = {
            "damage": strength,
            "share of pixels": f"{share:.2%}",
            "recall": round(float(recall), 3),
            "precision": round(float(precision), 3),
            "PSNR damaged, dB": round(float(before), 1),
            "PSNR repaired, dB": round(float(after), 1),
            "PSNR elsewhere, dB": round(float(outside), 1),
        }
        rows.append(row)
    table = Table("Drawn damage", rows, "damage", ("recall", "precision"), goals=_GOALS)
    return [table], np.vstack(cells)


def left_alone(repair: Repair, each: list[tuple[str, Rgb]]) -> Table:
    """Marks on clean photos: of all pixels, and on eyes and mouths."""
    find = repair.models.detector("retinaface-mobilenet")
    rows: list[Row] = []
    for name, photo in each:
        marks = repair.marks(photo)
        features = np.zeros(marks.shape, np.uint8)
        for face in find(photo, 0.8):
            eyes, mouth = np.array(face.landmarks[:2]), np.array(face.landmarks[3:])
            reach = float(np.linalg.norm(eyes[0] - eyes[1]))
            for place in (*eyes, mouth.mean(0)):
                cv2.circle(features, np.rint(place).astype(int).tolist(), int(0.3 * reach), 1, -1)
        rows.append(
            {
                "photo": name,
                "megapixels": round(marks.size / 1e6, 2),
                "falsely marked": f"{marks.mean():.3%}",
                "on eyes and mouths, pixels": int((marks & features.view(np.bool_)).sum())
                if features.any()
                else None,
            }
        )
    return Table("Clean photos", rows)


def faded(clean: Rgb, seed: int) -> Rgb:
    """Bleached: blacks lifted, whites dimmed, each channel by its own amount."""
    rng = np.random.default_rng(seed)
    low, high = rng.uniform(28, 75, 3), 255 - rng.uniform(10, 85, 3)
    return (low + clean / 255 * (high - low)).round().astype(np.uint8)


def undone(rgb: Rgb) -> Rgb:
    """A photo as the product tones it."""
    photo = Photo("photo", rgb, "PNG")
    return tone(photo, judge(photo)).rgb


def toned(each: list[tuple[str, Rgb]]) -> Table:
    """Color errors (ΔE, CIE 1976) of faded photos, and what is done to clean ones."""

    def error(picture: Rgb, other: Rgb) -> float:
        return float(np.linalg.norm(rgb2lab(picture) - rgb2lab(other), axis=2).mean())

    rows: list[Row] = []
    for seed, (name, clean) in enumerate(each):
        old = faded(clean, seed)
        rows.append(
            {
                "photo": name,
                "faded, ΔE": round(error(old, clean), 1),
                "toned, ΔE": round(error(undone(old), clean), 1),
                "clean changed, levels": round(
                    float(np.abs(undone(clean).astype(int) - clean).mean()), 2
                ),
            }
        )
    means = {k: round(float(np.mean([row[k] for row in rows])), 2) for k in list(rows[0])[1:]}
    return Table("Fading", [*rows, {"photo": "mean", **means}])


def speed(repair: Repair) -> Table:
    """Seconds a megapixel, of a photo with medium damage."""
    photo, *_ = damaged(cv2.resize(hopper(), (925, 1081)), "medium", 0)  # type: ignore[arg-type]
    marks = repair.marks(photo)
    steps = {
        "find": lambda: repair.marks(photo),
        "fill": lambda: fill(photo, marks),
        "tone": lambda: undone(faded(photo, 0)),
    }
    rows: list[Row] = []
    for step, run in steps.items():
        start = time.perf_counter()
        run()
        spent = time.perf_counter() - start
        rows.append({"step": step, "seconds a megapixel": round(spent / (marks.size / 1e6), 2)})
    return Table("Speed", rows)


def _small(photo: Rgb) -> Rgb:
    scale = min(1.0, _LONGEST / max(photo.shape))
    size = tuple(round(side * scale) for side in photo.shape[1::-1])
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))


def _cell(photo: Rgb) -> Rgb:
    """The upper middle of a photo, where faces are, at its own size."""
    left = max(0, (photo.shape[1] - _SHOWN) // 2)
    part = photo[:_SHOWN, left : left + _SHOWN]
    missing = [(0, _SHOWN - side) for side in part.shape[:2]]
    return np.pad(part, [*missing, (0, 0)])


def main(argv: list[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="a picture of all results")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="more photos")
    wanted = parser.parse_args(argv)
    each = list(photos(wanted.photos))
    if wanted.quick:
        each = each[:1]
    repair = Repair()
    small = [(name, _small(photo)) for name, photo in each]
    tables, sheet = found_and_filled(repair, small)
    tables += [left_alone(repair, each), toned(small), speed(repair)]
    show(tables, wanted)
    if wanted.sheet:
        Image.fromarray(sheet).save(wanted.sheet, quality=80)


if __name__ == "__main__":
    main()
