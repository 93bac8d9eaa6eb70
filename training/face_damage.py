"""What happened to aligned faces before somebody wants them restored.

Blur, small size, noise and JPEG as in GFPGAN's training (Wang et al. 2021), and what prints suffer
besides. Pictures are float32 RGB in 0..255, (512, 512, 3).
"""

import cv2
import numpy as np

from training.damage import draw
from training.degrade import Float, blur, grain, jpeg, noise, raster, resize

EDGE = 512
_CLEAN = 0.1  # share of faces that are not damaged at all: what is sharp has to stay as it is


def vary(face: Float, rng: np.random.Generator) -> Float:
    """The face as other cameras, light, skins and prints would show it: mirrored, a little off its
    alignment, in other colors or none."""
    if rng.random() < 0.5:
        face = face[:, ::-1]
    turn = cv2.getRotationMatrix2D((256, 256), rng.normal(0, 3), np.exp(rng.normal(0.02, 0.05)))
    turn[:, 2] = turn[:, 2] + rng.normal(0, 6, 2)
    x: Float = cv2.warpAffine(
        np.ascontiguousarray(face, np.float32),
        turn,
        (EDGE, EDGE),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    x = (x / 255).clip(0, 1) ** np.exp(rng.normal(0, 0.28))
    x = x * (rng.uniform(0.65, 1.1) * (1 + rng.normal(0, 0.06, 3)))
    gray = (x @ np.array([0.299, 0.587, 0.114]))[..., None]
    if rng.random() < 0.25:
        x = np.repeat(gray, 3, 2)
        x = x * np.array([1, 0.92, 0.78]) if rng.random() < 0.4 else x
    else:
        x = gray + (x - gray) * rng.uniform(0.5, 1.25)
    if rng.random() < 0.2:  # faded: less contrast, lifted blacks
        low, high = rng.uniform(0, 0.2), rng.uniform(0.75, 1)
        x = low + x * (high - low)
    return (x * 255).clip(0, 255).astype(np.float32)


def damage(face: Float, rng: np.random.Generator, strength: float | None = None) -> Float:
    """The face after blur, shrinking, noise and compression. strength: 0..1; at random if None,
    and then a tenth of the faces stay as they are."""
    if strength is None:
        if rng.random() < _CLEAN:
            return face
        strength = float(rng.random())
    s = strength
    small = max(28, round(EDGE / np.exp(rng.uniform(0.3, 1) * np.log(1.5 + 14.5 * s))))
    x = face
    if rng.random() < 0.8:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 0.8 + 6 * s))
    x = resize(x, small, rng)
    if rng.random() < 0.4:
        x = blur(x, rng)
    if rng.random() < 0.35:
        x = grain(x, rng)
    elif rng.random() < 0.7:
        channels = 3 if rng.random() < 0.6 else 1
        x = x + rng.normal(0, rng.uniform(0, 3 + 17 * s), (small, small, channels))
    elif rng.random() < 0.3:
        x = noise(x, rng)
    if rng.random() < 0.06:
        x = raster(x, rng)
    if rng.random() < 0.7:
        x = jpeg(x, rng)
    if rng.random() < 0.12:
        x, _ = draw(x.astype(np.float32), rng.uniform(0, 0.5), rng)
    method = int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC)))
    x = cv2.resize(x.astype(np.float32), (EDGE, EDGE), interpolation=method)
    return x.clip(0, 255).astype(np.float32)
