"""What happens to photos before somebody wants them enhanced.

The second-order chain of Real-ESRGAN (Wang et al. 2021, section 3) and what prints and scans
suffer besides: fading, grain, dust and print raster. Pictures are float32 RGB in 0..255.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.photos import Image

Float = NDArray[Any]

_CLEAN, _NEARLY = 0.2, 0.2  # shares of patches: what is sharp has to stay sharp
_METHODS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def degrade(photo: Image, edge: int, rng: np.random.Generator) -> tuple[Image, Image]:
    """A square photo, damaged at random and brought to `edge` × `edge` pixels; and as it was.

    Fading is undone elsewhere, so what it was is as faded.
    """
    x: Float = photo.astype(np.float32)
    if rng.random() < 0.3:
        x = fade(x, rng)
    true = _pixels(x)
    kind = rng.random()
    if kind < _CLEAN:
        return _pixels(resize(x, edge, rng)), true
    if kind < _CLEAN + _NEARLY:
        x = resize(blur(x, rng, 0.9) if rng.random() < 0.5 else x, edge, rng)
        x = x + rng.normal(0, rng.uniform(0, 3), x.shape) if rng.random() < 0.5 else x
        return _pixels(jpeg(x, rng, 80) if rng.random() < 0.7 else x), true
    for share in (1.0, 0.6):  # first and second order
        x = blur(x, rng) if rng.random() < 0.8 * share else x
        middle = int(edge * rng.uniform(0.8, 2.0))
        if share == 1.0 and middle < x.shape[0]:
            x = resize(x, middle, rng)
        x = noise(x, rng) if rng.random() < 0.65 * share else x
        x = jpeg(x, rng) if rng.random() < 0.65 * share else x
    if rng.random() < 0.12:
        x = _sinc(x, rng)
    x = resize(x, edge, rng)
    if rng.random() < 0.35:  # what the camera added is as fine as a pixel
        x = noise(x, rng)
    elif rng.random() < 0.25:
        x = grain(x, rng)
    if rng.random() < 0.08:
        x = _dust(x, rng)
    if rng.random() < 0.18:
        x = raster(x, rng)
    if rng.random() < 0.6:
        x = jpeg(x, rng)
    return _pixels(x), true


def _pixels(x: Float) -> Image:
    return np.clip(x, 0, 255).round().astype(np.uint8)


def resize(x: Float, edge: int, rng: np.random.Generator) -> Float:
    method = cv2.INTER_AREA if edge * 2 < x.shape[0] else int(rng.choice(_METHODS))
    return cv2.resize(x, (edge, edge), interpolation=method)


def blur(x: Float, rng: np.random.Generator, most: float = 2.4) -> Float:
    """An elongated Gaussian, turned at random. most: its sigma, in pixels, at most."""
    sigma = rng.uniform(0.3, most)
    sigmas = sigma, sigma * rng.uniform(0.6, 1.6)
    angle = rng.uniform(0, np.pi)
    across, down = np.meshgrid(np.arange(-7, 8), np.arange(-7, 8))
    u = across * np.cos(angle) + down * np.sin(angle)
    v = down * np.cos(angle) - across * np.sin(angle)
    kernel = np.exp(-0.5 * ((u / sigmas[0]) ** 2 + (v / sigmas[1]) ** 2))
    return cv2.filter2D(x, -1, kernel / kernel.sum())


def _sinc(x: Float, rng: np.random.Generator) -> Float:
    """Ringing, as strong resizing and sharpening leave it."""
    cutoff = rng.uniform(np.pi / 3, np.pi)
    along = np.sinc(np.arange(-6, 7) * cutoff / np.pi)
    kernel = np.outer(along, along)
    return cv2.filter2D(x, -1, kernel / kernel.sum())


def noise(x: Float, rng: np.random.Generator) -> Float:
    """Gaussian noise, colored or gray, or Poisson noise."""
    if rng.random() < 0.5:
        channels = 3 if rng.random() < 0.6 else 1
        return x + rng.normal(0, rng.uniform(1, 22), (*x.shape[:2], channels))
    return x + rng.normal(0, 1, x.shape) * np.sqrt(x.clip(0, 255)) * rng.uniform(0.1, 1.6)


def grain(x: Float, rng: np.random.Generator) -> Float:
    """Film grain: soft-edged, the same in all channels, strongest in the middle tones."""
    grain: Float = rng.normal(0, 1, (*x.shape[:2], 1)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.4, 1.3))[..., None]
    tones = 0.4 + np.sin(x.mean(2, keepdims=True).clip(0, 255) / 255 * np.pi)
    return x + grain / grain.std() * tones * rng.uniform(3, 16)


def raster(x: Float, rng: np.random.Generator) -> Float:
    """The dots of a print, at any pitch and angle."""
    pitch, angle = rng.uniform(2.2, 6.0), rng.uniform(0, np.pi / 2)
    down, across = np.mgrid[: x.shape[0], : x.shape[1]]
    u = (across * np.cos(angle) + down * np.sin(angle)) * (2 * np.pi / pitch)
    v = (down * np.cos(angle) - across * np.sin(angle)) * (2 * np.pi / pitch)
    return x + ((np.cos(u) + np.cos(v)) * rng.uniform(4, 26))[..., None]


def _dust(x: Float, rng: np.random.Generator) -> Float:
    """Small bright or dark specks and hairs."""
    x = np.ascontiguousarray(x, np.float32)
    for _ in range(rng.integers(1, 7)):
        tone = (float(rng.choice((20, 235))),) * 3
        start = rng.integers(0, x.shape[0], 2)
        end = start + rng.integers(-6, 7, 2)
        cv2.line(x, start.tolist(), end.tolist(), tone, 1, cv2.LINE_AA)
    return x


def fade(x: Float, rng: np.random.Generator) -> Float:
    """Bleached dyes: less contrast, lifted blacks, a cast; at times no color at all."""
    if rng.random() < 0.4:
        x = np.repeat(x.mean(2, keepdims=True), 3, 2)
    low = rng.uniform(0, 50, 3) * rng.random()
    high = 255 - rng.uniform(0, 80, 3) * rng.random()
    return (low + x / 255 * (high - low)).astype(np.float32)


def jpeg(x: Float, rng: np.random.Generator, least: int = 35) -> Float:
    """Compressed at a random quality, at least `least`."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(least, 96))]
    _, data = cv2.imencode(".jpg", _pixels(x), quality)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)
