"""Public-domain photos that dependencies ship, and the seeded damage done to them.

The astronaut (Eileen Collins, NASA) comes with scikit-image, the rear admiral (Grace Hopper,
US Navy) with matplotlib.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

Rgb = NDArray[Any]


def astronaut() -> Rgb:
    """NASA portrait, 512×512, one face about 100 pixels wide."""
    return np.asarray(data.astronaut(), np.uint8)


def hopper() -> Rgb:
    """US Navy portrait, 512×600, one face about 180 pixels wide."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def group(faces: int, width: int = 1080, height: int = 1440) -> Rgb:
    """So many faces on one canvas: the two portraits in turn, rotated and scaled, side by side."""
    canvas = np.full((height, width, 3), (118, 124, 132), np.uint8)
    columns = max(1, int(np.ceil(np.sqrt(faces * width / height))))
    rows = max(1, -(-faces // columns))
    cell_w, cell_h = width / columns, height / rows
    for i in range(faces):
        portrait = (astronaut()[0:260, 110:350], hopper()[20:460, 90:450])[i % 2]
        scale = min(cell_w / portrait.shape[1], cell_h / portrait.shape[0]) * (0.8, 0.95)[i % 3 > 0]
        turn = cv2.getRotationMatrix2D(
            (portrait.shape[1] / 2, portrait.shape[0] / 2), (-8, 5, 0, 11)[i % 4], scale
        )
        center = ((i % columns + 0.5) * cell_w, (i // columns + 0.5) * cell_h)
        turn[:, 2] += np.array(center) - (portrait.shape[1] / 2, portrait.shape[0] / 2)
        cv2.warpAffine(
            portrait, turn, (width, height), dst=canvas, borderMode=cv2.BORDER_TRANSPARENT
        )
    return canvas


@dataclass(frozen=True)
class Damage:
    """What is done to a photo, in the order of GFPGAN's training data."""

    blur: float = 1.5  # sigma, pixels
    down: int = 4
    noise: float = 6.0  # sigma, gray levels
    jpeg: int = 40  # quality
    scratches: int = 0
    restore_size: bool = False  # enlarge the small photo back, so that it is merely blurred


def degrade(rgb: Rgb, damage: Damage, seed: int = 0) -> Rgb:
    """The damaged photo; the same seed gives the same pixels."""
    random = np.random.default_rng(seed)
    height, width = rgb.shape[:2]
    image = cv2.GaussianBlur(rgb, (0, 0), damage.blur) if damage.blur else rgb
    small = (width // damage.down, height // damage.down)
    image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    image = np.clip(image + random.normal(0, damage.noise, image.shape), 0, 255).astype(np.uint8)
    for _ in range(damage.scratches):
        x, drift = random.integers(0, small[0]), random.integers(-small[0] // 8, small[0] // 8)
        shade = int(random.integers(190, 255))
        ends = (int(x), 0), (int(x + drift), small[1])
        cv2.line(image, *ends, (shade, shade, shade), 1, cv2.LINE_AA)
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, damage.jpeg])
    image = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB))
    if damage.restore_size:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(image, np.uint8)


def sepia(rgb: Rgb) -> Rgb:
    """An old print: brown, faded."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) * 0.8 + 30
    return np.clip(gray[..., None] * np.array([1.05, 0.93, 0.76]), 0, 255).astype(np.uint8)


def times(photo: Rgb, factor: float) -> tuple[int, int]:
    """(width, height) of a photo enlarged so many times."""
    width, height = (max(1, round(side * factor)) for side in photo.shape[1::-1])
    return width, height
