"""Undoes the fading of old prints: contrast and white balance, judged by dark and light parts.

Nearly every clean photo contains something almost black. Where dyes have faded or paper has
yellowed, nothing is black any more, and the color of the darkest parts is the cast. So a photo
with real blacks is left as it is, whatever its colors: an evening stays orange. A monochrome print
with a tint, such as sepia, is recognized by colors that depend on lightness alone.
"""

from dataclasses import dataclass, replace

import numpy as np

from enhance.photos.color import linear_light, space_of
from enhance.photos.pixels import bands, from_unit, unit
from enhance.records import FloatArray, Photo
from enhance.upscaling.interpolation import shrunk

_JUDGED = 384  # longer side, in pixels, of the copy on which a photo is judged
_ENDS = 0.5, 99.5  # percentiles: what is darker or lighter is noise, dust or a glint
_TARGET = 0.02, 0.96  # where the ends of a faded photo go
_FADED = 0.075, 0.12  # black of the darkest channel: clean up to the first, faded from the second
_OWN = 0.3, 0.5  # a channel's range relative to the widest: below, the subject has no such color
_LIFT = 0.18  # how far a channel's black may lie above that of the darkest channel
_SPREAD = 0.009, 0.013  # of colors at the same lightness: monochrome below, colored above
_TINT = 0.008, 0.02  # mean yellow of a monochrome print: gray below, tinted above
# Of the widest channel: below, the photo shows something plain, or fog. Gray prints lose more.
_RANGE, _GRAY_RANGE = (0.25, 0.45), (0.12, 0.22)
_BINS = 16  # of lightness
_BAND = 2_000_000  # pixels toned at once
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# Linear sRGB → cone responses → OKLab (Ottosson 2020).
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@dataclass(frozen=True)
class Fading:
    """How a photo's colors have faded.

    black, white: (3,) what is to become black and white, in sRGB, 0..1. amount: how certain it
    is that the photo has faded, 0..1. monochrome: how certain it is that it has no colors except
    for a tint, 0..1; yellowed: and that it has one. ends: its darkest and lightest value now in
    any channel, 0..1.
    """

    black: FloatArray
    white: FloatArray
    amount: float
    monochrome: float
    yellowed: float
    ends: tuple[float, float]

    @property
    def gray(self) -> bool:
        """Whether the photo has no colors but for a tint."""
        return self.monochrome >= 0.5

    def undone(self, srgb: FloatArray, strength: float) -> FloatArray:
        """Colors (..., 3) as they were before they faded."""
        low, high = _TARGET
        gain = (high - low) / (self.white - self.black)
        before = (srgb - self.black) * gain + low
        before += self.monochrome * ((before @ _LUMA)[..., None] - before)
        return srgb + strength * self.amount * (before.clip(0, 1) - srgb)


def tone(photo: Photo, fading: Fading, strength: float = 1.0) -> Photo:
    """The photo as it was before it faded; the same one if it has not.

    strength: 0 changes nothing, 1 undoes all fading.
    """
    if fading.amount * strength == 0:
        return photo
    rgb, space = photo.rgb, space_of(photo)
    toned = np.empty_like(rgb)
    for rows in bands(rgb.shape[0], rgb.shape[1], _BAND):
        seen, beyond = space.split(unit(rgb[rows]))
        own = space.joined(fading.undone(seen, strength), beyond)
        toned[rows] = from_unit(own, rgb.dtype)
    return replace(photo, rgb=toned)


def judge(photo: Photo) -> Fading:
    """How a photo has faded."""
    seen = space_of(photo).to_srgb(unit(shrunk(photo.rgb, _JUDGED))).reshape(-1, 3)
    low, high = (np.percentile(seen, end, axis=0).astype(np.float32) for end in _ENDS)
    black = np.minimum(low, low.min() + _LIFT)
    spans = np.maximum(high - black, 1e-3)
    widest = spans.max()
    own = _rise(spans / widest, _OWN)
    white = black + own * spans + (1 - own) * widest
    tint, spread = _colors(seen)
    monochrome = 1 - _rise(spread, _SPREAD)
    yellowed = float(monochrome * _rise(tint, _TINT))
    shown, shown_in_gray = (_rise(widest, bounds) for bounds in (_RANGE, _GRAY_RANGE))
    shown += monochrome * (shown_in_gray - shown)
    amount = max(_rise(low.min(), _FADED), yellowed) * shown
    ends = float(low.min()), float(high.max())
    white = white.astype(np.float32)
    return Fading(black, white, float(amount), float(monochrome), yellowed, ends)


def _colors(seen: FloatArray) -> tuple[float, float]:
    """How yellow colors (n, 3) are, and how far they stray from the mean at their lightness.

    Old prints do not turn green or blue, so such tints do not count.
    """
    lab = np.cbrt(linear_light(seen) @ _TO_CONES.T) @ _TO_LAB.T  # OKLab
    order = np.argsort(lab[:, 0], kind="stable")
    parts = np.array_split(lab[order, 1:], _BINS)
    means = np.stack([part.mean(0) if len(part) else np.zeros(2) for part in parts])
    squares = np.concatenate(
        [((part - mean) ** 2).sum(1) for part, mean in zip(parts, means, strict=True)]
    )
    # Without the 2% that stray most, because JPEG and dust leave some colors in any print.
    kept = np.sort(squares)[: max(1, int(len(squares) * 0.98))]
    green_red, blue_yellow = means.mean(0)
    return float(blue_yellow + 2 * min(green_red, 0)), float(np.sqrt(kept.mean()))


def _rise(value: float | FloatArray, between: tuple[float, float]) -> float | FloatArray:
    """0 below the first bound, 1 above the second, smooth between them."""
    t = np.clip((value - between[0]) / (between[1] - between[0]), 0, 1)
    return t * t * (3 - 2 * t)
