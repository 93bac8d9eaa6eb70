"""Judge the face network on portraits that it never saw.

    python -m training.evaluate_faces FACES [--weights FILE] [--sheet FILE] [--card FILE]

FACES is the folder that training.face_data made. Each held-out face is damaged at three strengths
and restored by the network and by Real-ESRGAN ×4 plus, which works on the crop at the size that
its blur allows (the bundled restorer in 0.2.0). All figures are of the face itself, against the
portrait: PSNR, SSIM; energy: that of its gradients, relative to the portrait's; NIQE; identity:
dlib's distance to the portrait; landmarks: their mean error in pixels of 512; stranger: by how
much nearer it is to the nearest face that was trained on than the portrait itself is.
"""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tqdm import tqdm

from benchmarks.photos import astronaut, hopper
from benchmarks.tables import Row, Table, arguments, show
from benchmarks.upstream import prepare
from enhance.faces.detect import RetinaFaceMobileNet
from enhance.models import files
from training.face_damage import EDGE, damage, vary
from training.face_data import aligned_face, load, sharpening_net
from training.faces import started
from training.likeness import Recognizer, landmark_error
from training.photos import Image

Restore = Callable[[Image], Image]

SHIPPED = Path(files.__file__).with_name(files.FACE.path)
STRENGTHS = {"light": 0.2, "medium": 0.55, "heavy": 0.95}
_FACE = slice(80, 464), slice(112, 400)  # rows and columns


def network(weights: Path) -> Restore:
    """The face network, as the product runs it in fp32."""
    net = started(weights).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return lambda face: _run(net, face)


def x4plus() -> Restore:
    """Real-ESRGAN ×4 plus on a crop that is shrunk until its blur is gone."""
    net = sharpening_net()

    def restore(face: Image) -> Image:
        edge = _working_edge(face)
        small = cv2.resize(face, (edge, edge), interpolation=cv2.INTER_AREA)
        big = _run(net, np.asarray(small, np.uint8))
        return np.asarray(cv2.resize(big, (EDGE, EDGE), interpolation=cv2.INTER_AREA), np.uint8)

    return restore


def _working_edge(face: Image) -> int:
    gray = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)[64:-64, 64:-64].astype(np.float32)
    gray = np.asarray(cv2.GaussianBlur(gray, (0, 0), 1.5), np.float32)
    for edge in (128, 160, 192):
        part = round(edge * len(gray) / EDGE)
        small = cv2.resize(gray, (part, part), interpolation=cv2.INTER_AREA)
        back = cv2.resize(small, gray.shape[::-1], interpolation=cv2.INTER_CUBIC)
        if float(np.sqrt(np.mean((back - gray) ** 2))) <= 0.02 * float(gray.std()):
            return edge
    return 256


@torch.inference_mode()
def _run(net: torch.nn.Module, face: Image) -> Image:
    x = torch.from_numpy(face.astype(np.float32) / 255).permute(2, 0, 1)[None]
    made = net(x.contiguous(memory_format=torch.channels_last))[0].permute(1, 2, 0)
    return (made.clamp(0, 1).numpy() * 255).round().astype(np.uint8)


class Judge:
    """Measures restored faces."""

    def __init__(self, trained_on: list[Path]) -> None:
        prepare()
        from basicsr.metrics import calculate_niqe

        self._niqe = calculate_niqe
        self._recognizer = Recognizer()
        self._detector = RetinaFaceMobileNet()
        self._known = np.array([self._described(file) for file in tqdm(trained_on, unit="known")])

    def __call__(self, face: Image, true: Image) -> dict[str, float]:
        """The figures of one face."""
        ours, theirs = face[_FACE], true[_FACE]
        mine, its = self._recognizer(face), self._recognizer(true)
        return {
            "PSNR, dB": float(peak_signal_noise_ratio(theirs, ours)),
            "SSIM": float(structural_similarity(theirs, ours, channel_axis=2)),
            "energy": _energy(ours) / _energy(theirs),
            "NIQE": float(self._niqe(np.asarray(ours[..., ::-1]), 0)),
            "identity": float(np.linalg.norm(mine - its)),
            "landmarks": landmark_error(self._detector, face, true),
            "stranger": self._nearest(its) - self._nearest(mine),
        }

    def _nearest(self, described: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(self._known - described, axis=1).min())

    def _described(self, file: Path) -> NDArray[np.float64]:
        face = cv2.resize(load(file), (EDGE, EDGE), interpolation=cv2.INTER_CUBIC)
        return self._recognizer(np.asarray(face, np.uint8))


def _energy(picture: Image) -> float:
    gray = picture.astype(np.float32).mean(2)
    return float(sum((np.diff(gray, axis=axis) ** 2).mean() for axis in (0, 1)))


def judge(faces: Path, weights: Path, most: int | None) -> tuple[list[Table], Image]:
    """A table for each damage and one for undamaged faces, and a sheet of pictures."""
    ways: dict[str, Restore] = {
        "input": lambda face: face,
        "×4 plus": x4plus(),
        "face network": network(weights),
    }
    measure = Judge(sorted((faces / "256").glob("*.png")))
    held = sorted((faces / "held").glob("*.png"))[:most]
    tables, sheet, seconds = [], [], dict.fromkeys(ways, 0.0)
    for strength, amount in {**STRENGTHS, "none": None}.items():
        found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for number, file in enumerate(tqdm(held, desc=strength, unit="face")):
            rng = np.random.default_rng(number)
            true = load(file)
            if number % 3 == 2:  # other colors, light and cameras
                true = vary(true.astype(np.float32), rng).round().astype(np.uint8)
            seen = true if amount is None else _damaged(true, rng, amount)
            made = {}
            for name, restore in ways.items():
                start = time.perf_counter()
                made[name] = restore(seen)
                seconds[name] += time.perf_counter() - start
                found[name].append(measure(made[name], true))
            if amount is not None:
                sheet.append(np.hstack([made[name][_FACE] for name in ways] + [true[_FACE]]))
        rows: list[Row] = [
            {"restored by": name, **{key: _mean(each, key) for key in each[0]}}
            for name, each in found.items()
        ]
        tables.append(Table(f"faces {strength}", rows))
    total = len(held) * (len(STRENGTHS) + 1)
    rows = [{"restored by": name, "seconds": round(s / total, 3)} for name, s in seconds.items()]
    return [*tables, Table("faces seconds", rows)], np.vstack(sheet)


def card(weights: Path) -> Image:
    """The model card's picture: two photos that packages ship, a row for each damage. From left to
    right: damaged, by ×4 plus, by the face network, as it was."""
    ways, detector, rows = (x4plus(), network(weights)), RetinaFaceMobileNet(), []
    for number, photo in enumerate((hopper(), astronaut())):
        true = aligned_face(photo, detector)
        for amount in STRENGTHS.values():
            seen = _damaged(true, np.random.default_rng(number + 20), amount)
            made = [seen, *(restore(seen) for restore in ways), true]
            rows.append(np.hstack([face[_FACE] for face in made]))
    return np.vstack(rows)


def _damaged(true: Image, rng: np.random.Generator, amount: float) -> Image:
    return damage(true.astype(np.float32), rng, amount).round().astype(np.uint8)


def _mean(each: list[dict[str, float]], key: str) -> float:
    return round(float(np.nanmean([one[key] for one in each])), 3)


def main() -> None:
    """The command."""
    parser = arguments(__doc__)
    parser.add_argument("faces", type=Path, help="folder of faces, from training.face_data")
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="the package's by default")
    parser.add_argument("--card", type=Path, help="JPEG: the picture of the model card; no tables")
    parser.add_argument("--sheet", type=Path, help="PNG: input, ×4 plus, network, portrait")
    parser.add_argument("--faces", dest="most", type=int, help="how many; all by default")
    args = parser.parse_args()
    if args.card:
        Pillow.fromarray(card(args.weights)).save(args.card, quality=88)
        return
    tables, sheet = judge(args.faces, args.weights, 2 if args.quick else args.most)
    show(tables, args)
    if args.sheet:
        Pillow.fromarray(sheet).save(args.sheet)


if __name__ == "__main__":
    main()
