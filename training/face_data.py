"""Make the faces to learn from: portraits, aligned, some of them with detail at full size.

    python -m training.face_data PORTRAITS OUT

The portraits hold about 205 real pixels of the 512 of an aligned face: OUT/256 has all of them at
their honest size. OUT/512 has as many as there was time for, at full size: what the portraits hold
is kept, and the detail above it comes from Real-ESRGAN ×4 plus. OUT/held has every 14th portrait,
in the order of names, which are not trained on. A face is a file of its own: run the command again
to go on where it ended.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from enhance.faces.detect import RetinaFaceMobileNet
from enhance.faces.geometry import CROP, face_matrix
from enhance.files import write_bytes
from enhance.models.ncnn import x4plus_net
from training.degrade import Float
from training.photos import Image
from training.state import mixed_precision

HELD_OUT = 14
"""Every so manieth portrait is held out."""
_REAL = 216  # pixels that a face is taken to hold


def portraits(folder: Path) -> tuple[list[Path], list[Path]]:
    """The portraits to train on, and those held out."""
    files = sorted(folder.glob("*.jpg"))
    held = files[::HELD_OUT]
    return [file for file in files if file not in set(held)], held


def load(file: Path) -> Image:
    """A picture, (h, w, 3) RGB. Raises OSError if it cannot be read."""
    bgr = cv2.imread(str(file))
    if bgr is None:
        raise OSError(f"{file} cannot be read")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def aligned_face(rgb: Image, detector: RetinaFaceMobileNet) -> Image:
    """A photo's largest face, (512, 512, 3) RGB. Raises ValueError if it has none."""
    found = detector(rgb, 0.8)
    matrix = face_matrix(max(found, key=lambda face: face.size))
    if matrix is None:
        raise ValueError("the photo has no usable face")
    return cv2.warpAffine(  # type: ignore[return-value]
        rgb, matrix, (CROP, CROP), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT
    )


def sharpening_net() -> nn.Module:
    """Real-ESRGAN ×4 plus in fp32, as plain torch runs it."""
    return x4plus_net().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class Sharpener:
    """Adds Real-ESRGAN's detail to faces where the portraits hold none."""

    def __init__(self) -> None:
        self._net = sharpening_net()

    @torch.inference_mode()
    def __call__(self, face: Image) -> Image:
        """(512, 512, 3) RGB → the same."""
        x = face.astype(np.float32) / 255
        small = cv2.resize(x, (_REAL, _REAL), interpolation=cv2.INTER_AREA)
        with mixed_precision(torch.device("cpu")):
            big = self._net(torch.from_numpy(small).permute(2, 0, 1)[None])
        made = big[0].float().permute(1, 2, 0).clamp(0, 1).numpy()
        made = cv2.resize(made, (CROP, CROP), interpolation=cv2.INTER_AREA)
        return ((x + made - _held(made)).clip(0, 1) * 255).round().astype(np.uint8)


def _held(x: Float) -> Float:
    """What of a face (512, 512, 3) survives at the size that the portraits have."""
    small = cv2.resize(x, (_REAL, _REAL), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (CROP, CROP), interpolation=cv2.INTER_LANCZOS4)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", type=Path)
    parser.add_argument("out", type=Path, help="folder of the faces")
    parser.add_argument("--sharp", type=int, help="how many are sharpened; all by default")
    args = parser.parse_args()
    for name in ("256", "512", "held"):
        (args.out / name).mkdir(parents=True, exist_ok=True)
    detector, sharpen = RetinaFaceMobileNet(), Sharpener()
    train, held = portraits(args.portraits)
    for file in held:
        _save(args.out / "held" / f"{file.stem}.png", aligned_face(load(file), detector))
    for file in train:
        small = cv2.resize(
            aligned_face(load(file), detector), (256, 256), interpolation=cv2.INTER_AREA
        )
        _save(args.out / "256" / f"{file.stem}.png", np.asarray(small, np.uint8))
    np.random.default_rng(0).shuffle(train)
    for file in tqdm(train[: args.sharp], unit="face"):
        target = args.out / "512" / f"{file.stem}.png"
        if not target.exists():
            _save(target, sharpen(aligned_face(load(file), detector)))


def _save(target: Path, face: Image) -> None:
    _, data = cv2.imencode(".png", cv2.cvtColor(face, cv2.COLOR_RGB2BGR))
    write_bytes(target, data.tobytes())


if __name__ == "__main__":
    main()
