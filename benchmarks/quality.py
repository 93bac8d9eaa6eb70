"""Is the result better? NIQE of the picture; PSNR, SSIM, landmarks of the face; on seeded damage.

    python -m benchmarks.quality [--json FILE] [--plot FILE] [--sheet FILE] [--quick]

Each public-domain portrait is damaged (blur, ×4 down, scratches, noise, JPEG) at two strengths,
enlarged back by every method and compared with the original. NIQE: lower is better, needs no
original. PSNR in dB and SSIM: higher is better, measured in the face's box. Landmarks: how far
eyes, nose and corners of the mouth, as the detector sees them, are from where they are in the
original, in pixels; lower is better, and it asks for no identity.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.photos import Damage, Rgb, astronaut, degrade, hopper
from benchmarks.tables import Row, Table, arguments, show
from benchmarks.upstream import prepare
from enhance.limits import Limits
from enhance.models.inventory import inventory
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhancer
from enhance.records import EngineInfo, Face, Photo

UPSCALE = 4
DAMAGES = {
    "medium": Damage(blur=1.5, down=UPSCALE, noise=6, jpeg=40, scratches=2),
    "severe": Damage(blur=5.0, down=UPSCALE, noise=15, jpeg=20, scratches=8),
}
SCORES = {"niqe": "NIQE ↓", "psnr": "PSNR ↑", "ssim": "SSIM ↑", "landmarks": "landmarks, px ↓"}
Method = Callable[[Rgb], Rgb]


def methods(models: ResidentModels) -> dict[str, Method]:
    """By name: a function from the damaged photo to one four times as large."""
    enhancer = Enhancer(models, Limits(), EngineInfo(models.device, models.precision, 0.0))

    def enhance(restorer: str, background: str) -> Method:
        options = Options(
            size=f"{UPSCALE}x",
            restorer=restorer,  # type: ignore[arg-type]
            background=background,  # type: ignore[arg-type]
            repair="off",
            tone="off",
        )
        return lambda rgb: enhancer(Photo("photo", rgb, "PNG"), options, lambda: None).pasted()

    def present(kind: str) -> list[str]:
        return [m["name"] for m in inventory() if m["kind"] == kind and m["present"]]

    restorers = present("restorer")
    return {
        "input (bicubic)": lambda rgb: np.asarray(
            cv2.resize(rgb, None, fx=UPSCALE, fy=UPSCALE, interpolation=cv2.INTER_CUBIC)
        ),
        "lanczos": enhance("none", "lanczos"),
        **{name: enhance("none", name) for name in present("background") if name != "lanczos"},
        **{f"lanczos + {name}": enhance(name, "lanczos") for name in restorers},
        **{f"compact + {name}": enhance(name, "compact") for name in restorers},
        **{f"realesrgan + {name}": enhance(name, "realesrgan") for name in restorers},
    }


def measure(quick: bool) -> tuple[list[Table], Rgb]:
    """A table per strength, means over the photos; and a contact sheet of all results."""
    prepare()
    from basicsr.metrics import calculate_niqe

    models = ResidentModels(Setup())
    find = models.detector("retinaface-mobilenet")
    photos = [astronaut()] if quick else [astronaut(), hopper()[:600, :512]]
    tables, sheet = [], []
    for strength in ["medium"] if quick else DAMAGES:
        scores: dict[str, list[dict[str, float | None]]] = {}
        for clean in photos:
            (face, *_) = find(clean, 0.8)
            damaged = degrade(clean, DAMAGES[strength])
            cells = [clean]
            for method, run in methods(models).items():
                result = run(damaged)
                cells.append(result)
                scores.setdefault(method, []).append(
                    {
                        "niqe": float(calculate_niqe(np.asarray(result[..., ::-1]), 0)),
                        **_likeness(clean, result, face),
                        "landmarks": _landmark_error(face, find(result, 0.5)),
                    }
                )
            sheet.append(np.hstack([cell[:512] for cell in cells]))
        rows: list[Row] = [
            {"method": method}
            | {title: _mean([one[key] for one in each]) for key, title in SCORES.items()}
            for method, each in scores.items()
        ]
        tables.append(Table(f"Damage: {strength}", rows, "method", (SCORES["niqe"],)))
    return tables, np.vstack(sheet)


def _likeness(clean: Rgb, result: Rgb, face: Face) -> dict[str, float | None]:
    """PSNR and SSIM in the face's box."""
    left, top, right, bottom = (max(0, round(v)) for v in face.box)
    box = slice(top, bottom), slice(left, right)
    ssim: Any = structural_similarity(clean[box], result[box], channel_axis=2)
    return {"psnr": float(peak_signal_noise_ratio(clean[box], result[box])), "ssim": float(ssim)}


def _landmark_error(clean: Face, found: list[Face]) -> float | None:
    """Mean distance of the five landmarks from the nearest face's; None: no face seen."""
    here = np.array(clean.landmarks)
    distances = [np.linalg.norm(here - np.array(face.landmarks), axis=1).mean() for face in found]
    nearest = float(min(distances, default=np.inf))
    return nearest if nearest < clean.size else None


def _mean(values: list[float | None]) -> float | None:
    """None when it is missing for a photo."""
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 3) if len(known) == len(values) else None


def main(argv: list[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="a picture of all results side by side"
    )
    wanted = parser.parse_args(argv)
    tables, sheet = measure(wanted.quick)
    show(tables, wanted)
    if wanted.sheet:
        Image.fromarray(sheet).reduce(2).save(wanted.sheet, quality=85)


if __name__ == "__main__":
    main()
