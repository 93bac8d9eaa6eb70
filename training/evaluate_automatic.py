"""Does each photo get what it needs, and nothing else? Clean photos, and what happens to them.

    python -m training.evaluate_automatic FOLDER [--json FILE] [--quick] [--seed N]

FOLDER: where `training/get_photos.sh` unpacked. Every photo is cut and saved in five clean ways
and damaged in six others; for each, what `enhance.pipeline.needs` decides is compared with what
was done to it. A scan may be cleaned or not, because it is soft. The bounds of that table were
chosen with the seeds 0, 1000, 2000 and 3000.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from matplotlib import cbook
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from benchmarks.photos import Rgb
from benchmarks.tables import Row, Table, arguments, show
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhancer
from enhance.pipeline.findings import look
from enhance.pipeline.needs import decide
from enhance.records import EngineInfo, Findings, Photo
from training.damage import draw, labels
from training.evaluate import detail_kept
from training.photos import read

Float = NDArray[np.float32]

_WALLPAPERS = (
    *("Autumn", "BytheWater", "ColdRipple", "ColorfulCups", "DarkestHour", "EveningGlow"),
    *("FallenLeaf", "Grey", "Kite", "OneStandsOut", "Path", "summer_1am"),
)
_PORTRAITS = ("biden", "obama", "obama2", "obama3", "obama_partial_face2")
_SHIPPED = (
    *("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"),
    *("camera.png", "coins.png"),
)
_DRAWN = {"analogpattern_by_Peter_Nerlich"}  # no photo
_VISIBLE = 0.001  # share of a photo that must be damaged for it to need repair
_STEPS = ("repair", "tone", "cleaning")

Looked = tuple[str, tuple[bool | None, ...], tuple[bool, ...]]
"""A kind of photo, which of `_STEPS` one of it needs, and which would run."""


@dataclass(frozen=True)
class Case:
    """A photo, and for each of `_STEPS` whether it needs it; None if either is right."""

    kind: str
    rgb: Rgb
    needs: tuple[bool | None, bool | None, bool | None]


def photos(folder: Path) -> Iterator[Rgb]:
    """All photographs of the packages, at up to 2600 pixels."""
    shared = folder / "usr/share"
    paths = [
        *sorted((shared / "backgrounds/mate/nature").glob("*.jpg")),
        *(p for p in sorted((shared / "backgrounds").glob("*_by_*.jpg")) if p.stem not in _DRAWN),
        *(shared / f"wallpapers/{name}/contents/images/2560x1600.jpg" for name in _WALLPAPERS),
        *(folder / f"face_recognition-1.3.0/tests/test_images/{name}.jpg" for name in _PORTRAITS),
        *(Path(skimage.data.__file__).parent / name for name in _SHIPPED),
        Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))),
    ]
    yield from map(read, paths)


def cases(photo: Rgb, rng: np.random.Generator) -> Iterator[Case]:
    """The photo in five clean and six damaged forms."""
    longer = max(photo.shape)
    for clean in (
        _small(photo, 720),
        _jpeg(_small(photo, 1400), 92),
        _jpeg(_part(_small(photo, longer // 2), 640, 480, rng), 85),
        _jpeg(_part(_small(photo, longer * 2 // 3), 800, 600, rng), 95),
        _jpeg(_small(photo, 360), 90),
    ):
        yield Case("clean", clean, (False, False, False))
    base = _small(photo, int(rng.uniform(500, 900)))
    channels = 3 if rng.random() < 0.6 else 1
    noise = rng.normal(0, rng.uniform(8, 25), (*base.shape[:2], channels))
    yield Case("noisy", _jpeg(base + noise, int(rng.uniform(70, 95))), (False, False, True))
    tiny = _small(photo, int(rng.uniform(300, 700)))
    yield Case("compressed", _jpeg(tiny, int(rng.uniform(12, 40))), (False, False, True))
    scratched, visible = _scratched(base, rng)
    yield Case("scratched", _scan(scratched, rng), (visible, False, None))
    faded = _faded(base, rng)
    yield Case("faded", _scan(faded, rng), (False, True, None))
    both, visible = _scratched(faded, rng)
    yield Case("faded and scratched", _scan(both, rng), (visible, True, None))
    blurred = cv2.GaussianBlur(base, (0, 0), rng.uniform(1, 5))
    yield Case("blurred", _jpeg(np.asarray(blurred), 88), (False, False, True))


class Looking:
    """What the product decides about a photo."""

    def __init__(self) -> None:
        self._models = ResidentModels(Setup(device="cpu"))
        self.seconds = self.megapixels = 0.0

    def __call__(self, rgb: Rgb) -> tuple[Findings, tuple[bool, bool, bool]]:
        """The findings, and which of `_STEPS` would run."""
        start = time.process_time()
        photo = Photo("photo", rgb, "PNG")
        seen = look(photo, self._models, lambda: None)
        options, _ = decide(Options(size="1x"), seen, photo.size)
        self.seconds += time.process_time() - start
        self.megapixels += rgb.shape[0] * rgb.shape[1] / 1e6
        return seen, (options.repair == "on", options.tone == "on", options.background != "lanczos")

    def kept(self, rgb: Rgb) -> tuple[float, float]:
        """What is left of a photo's fine detail at its own size, and the result's SSIM with it."""
        enhancer = Enhancer(self._models, Limits(), EngineInfo("cpu", "fp32", 0.0))
        options = Options(size="1x", restorer="none")
        made = enhancer(Photo("photo", rgb, "PNG"), options, lambda: None).pasted()
        ssim = structural_similarity(made, rgb, channel_axis=2)
        return detail_kept(made, rgb), float(ssim)


def confusion(looked: list[Looked]) -> Table:
    """For each kind of photo how often each step runs, and how often all are right."""
    rows: list[Row] = []
    for kind in (*dict.fromkeys(kind for kind, _, _ in looked), "all damaged"):
        some = [(n, r) for k, n, r in looked if kind in (k, "all damaged" if k != "clean" else "")]
        ran = Counter(s for _, each in some for s, on in zip(_STEPS, each, strict=True) if on)
        right = sum(all(n in (None, r) for n, r in zip(*each, strict=True)) for each in some)
        wrong = sum(any(r and n is False for n, r in zip(*each, strict=True)) for each in some)
        share = {step: f"{ran[step] / len(some):.1%}" for step in _STEPS}
        verdict = {"right": f"{right / len(some):.1%}", "wrong step": f"{wrong / len(some):.1%}"}
        rows.append({"photos": kind, "count": len(some), **share, **verdict})
    return Table("What each kind of photo gets", rows)


def preserved(kept: list[tuple[float, float]]) -> Table:
    """What is left of the clean photos' detail, and how similar the results are."""
    rows: list[Row] = [
        {"clean photos at 1x": name, "detail kept": round(detail, 3), "SSIM": round(ssim, 3)}
        for name, (detail, ssim) in (("mean", np.mean(kept, 0)), ("worst", np.min(kept, 0)))
    ]
    return Table("What clean photos keep", rows)


def _small(photo: Rgb, longer: int) -> Rgb:
    scale = min(1.0, longer / max(photo.shape))
    size = tuple(round(side * scale) for side in photo.shape[1::-1])
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))


def _part(photo: Rgb, width: int, height: int, rng: np.random.Generator) -> Rgb:
    left, top = (
        int(rng.integers(0, max(0, side - part) + 1))
        for side, part in zip(photo.shape[1::-1], (width, height), strict=True)
    )
    return np.ascontiguousarray(photo[top : top + height, left : left + width])


def _jpeg(photo: Rgb, quality: int) -> Rgb:
    pixels = photo.clip(0, 255).round().astype(np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _scan(photo: Rgb, rng: np.random.Generator) -> Rgb:
    """The print as a scanner's lens and a JPEG leave it."""
    soft = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.4, 1.0))
    return _jpeg(np.asarray(soft), int(rng.uniform(80, 96)))


def _faded(photo: Rgb, rng: np.random.Generator) -> Rgb:
    """Blacks and whites gone, each channel to another degree; at times without colors."""
    x = photo.astype(np.float32)
    if rng.random() < 0.4:
        x = np.repeat(x.mean(2, keepdims=True), 3, 2)
    low = rng.uniform(25, 60) + rng.uniform(0, 25, 3)
    high = 255 - rng.uniform(0, 60) - rng.uniform(0, 40, 3)
    return np.asarray(low + x / 255 * (high - low), np.float32)


def _scratched(photo: Rgb, rng: np.random.Generator) -> tuple[Rgb, bool | None]:
    """The photo with damage over it, and whether it needs repair: None if there is hardly any."""
    clean = marked = photo.astype(np.float32)
    covered = np.zeros(photo.shape[:2], np.float32)
    for _ in range(max(1, photo.shape[0] * photo.shape[1] // 300**2 // 2)):
        marked, alpha = draw(marked, rng.uniform(0.2, 0.9), rng)
        covered = np.maximum(covered, alpha)
    return marked, True if labels(clean, marked, covered)[0].mean() > _VISIBLE else None


def main(argv: list[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("photos", type=Path, metavar="FOLDER", help="unpacked photos")
    parser.add_argument("--seed", type=int, default=4000, metavar="N", help="of the damage")
    parser.add_argument("--list", action="store_true", help="print each photo judged wrongly")
    wanted = parser.parse_args(argv)
    looking = Looking()
    looked: list[Looked] = []
    kept: list[tuple[float, float]] = []
    for number, photo in enumerate(photos(wanted.photos)):
        for case in cases(photo, np.random.default_rng(wanted.seed + number)):
            seen, ran = looking(case.rgb)
            looked.append((case.kind, case.needs, ran))
            if case.kind == "clean":
                kept.append(looking.kept(case.rgb) if any(ran) else (1.0, 1.0))
            right = all(n in (None, r) for n, r in zip(case.needs, ran, strict=True))
            if wanted.list and not right:
                print(number, case.kind, case.needs, ran, seen, flush=True)
        if wanted.quick:
            break
    spent = f"{looking.seconds / looking.megapixels:.2f}"
    speed = Table("Speed", [{"CPU seconds a megapixel": spent}])
    show([confusion(looked), preserved(kept), speed], wanted)


if __name__ == "__main__":
    main()
