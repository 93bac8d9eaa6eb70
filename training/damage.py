"""What time does to prints and negatives, drawn over clean photos together with its mask.

Scratches, cracks, creases, tears, dust, specks, fibers and small stains, brighter or darker than
the photo. And what only looks like damage, which is drawn unmarked: text, strands of hair,
stripes, beads, glints. Pictures are float32 RGB in 0..255; masks float32 in 0..1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.degrade import blur, fade, grain, jpeg, noise
from training.photos import Image

Float = NDArray[Any]

_SHIFT = 4  # binary digits of a pixel that lines are placed by
_SEEN = 0.25  # a pixel is damaged where damage covers more of it than this
_RIM = 0.06  # below it a pixel is clean; between the two nobody can say
_CONTRAST = 9.0  # gray levels; fainter damage is none

Kinds = tuple[tuple[Callable[[tuple[int, int], np.random.Generator], Float], float, int], ...]


@dataclass(frozen=True)
class Sample:
    """A photo with its damage.

    photo: as it was before. damaged: (h, w, 3). mask: 1 where it is damaged. known: 0 where the
    mask cannot be said to be right or wrong: at soft rims, and where damage is not seen.
    """

    photo: Float
    damaged: Float
    mask: Float
    known: Float


def damaged(photo: Float, rng: np.random.Generator, amount: float | None = None) -> Sample:
    """The photo as an old print that was scanned. amount: of damage, 0..1; drawn when None."""
    x: Float = photo.astype(np.float32)
    if rng.random() < 0.3:
        x = fade(x, rng)
    elif rng.random() < 0.25:
        brown = rng.uniform((0.9, 0.8, 0.6), 1.0).astype(np.float32)
        x = x.mean(2, keepdims=True) * brown
    if rng.random() < 0.35:
        x = lookalikes(x, rng)
    if rng.random() < 0.4:
        x = blur(x, rng)
    if rng.random() < 0.3:
        x = grain(x, rng)
    if amount is None:
        amount = 0.0 if rng.random() < 0.4 else rng.random()
    marked, alpha = draw(x, amount, rng)
    if rng.random() < 0.4:  # the scanner's lens
        sigma = rng.uniform(0.3, 1.0)
        x, marked, alpha = (cv2.GaussianBlur(part, (0, 0), sigma) for part in (x, marked, alpha))
    scanned = marked
    if rng.random() < 0.4:
        scanned = noise(scanned, rng)
    if rng.random() < 0.6:
        scanned = jpeg(scanned, rng)
    mask, clean = labels(x, marked, alpha, 1.5 * float((scanned - marked).std()))
    return Sample(x, scanned, mask.astype(np.float32), (mask | clean).astype(np.float32))


def labels(photo: Float, marked: Float, alpha: Float, noise: float = 0.0) -> tuple[Float, Float]:
    """Where the damage is seen, and where there is surely none, both bool.

    noise: gray levels; damage that differs by less from the photo is not seen.
    """
    seen = np.abs(marked - photo).max(2) > max(_CONTRAST, noise)
    return (alpha > _SEEN) & seen, alpha < _RIM


def draw(
    x: Float, amount: float, rng: np.random.Generator, kinds: Kinds | None = None
) -> tuple[Float, Float]:
    """The picture with damage over it, and how much of each pixel that covers.

    amount: 0..1. kinds: (what draws it, its chance, how many at most besides the first).
    """
    x = x.astype(np.float32).copy()
    total = np.zeros(x.shape[:2], np.float32)
    if amount == 0:
        return x, total
    for kind, share, most in kinds or _KINDS:
        if rng.random() > share:
            continue
        for _ in range(1 + int(rng.random() * most * amount)):
            alpha = kind(x.shape[:2], rng)
            alpha *= rng.uniform(0.55, 1.0) if rng.random() < 0.5 else 1.0
            x += alpha[..., None] * (_tone(x, rng) - x)
            total = np.maximum(total, alpha)
    return x.clip(0, 255), total


def _tone(x: Float, rng: np.random.Generator) -> Float:
    """What is seen where the picture is gone: paper, dirt, or one of the film's dyes."""
    kind = rng.random()
    if kind < 0.65:
        tone = rng.uniform(185, 255) + rng.uniform(-12, 12, 3)
    elif kind < 0.9:
        tone = rng.uniform(0, 70) + rng.uniform(-10, 10, 3)
    elif kind < 0.94:
        tone = rng.uniform(0, 255, 3)
    else:  # only scraped: lighter or darker than what is around
        tone = x + rng.choice((-1, 1)) * rng.uniform(35, 110)
    return np.clip(tone, 0, 255).astype(np.float32)


def _line(size: tuple[int, int], points: Float, width: float, fade_out: bool = False) -> Float:
    """Coverage of a polyline of any width, also less than a pixel."""
    alpha = np.zeros(size, np.uint8)
    at = np.rint(points * (1 << _SHIFT)).astype(np.int32)
    thick = max(1, round(width))
    cv2.polylines(alpha, [at], False, 255, thick, cv2.LINE_AA, _SHIFT)
    result: Float = alpha.astype(np.float32) * (min(1.0, width) / 255)
    return result


def _broken(alpha: Float, rng: np.random.Generator) -> Float:
    """Worn away here and there."""
    h, w = alpha.shape
    coarse = rng.normal(0, 1, (max(2, h // 12), max(2, w // 12))).astype(np.float32)
    gate = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC) * 2 + rng.uniform(0, 2.5)
    result: Float = alpha * gate.clip(0, 1)
    return result


def _path(size: tuple[int, int], rng: np.random.Generator, bend: float, long: bool) -> Float:
    """Points of a smooth curve. bend: how far it strays, as a share of its length."""
    h, w = size
    start = rng.uniform((-0.1 * w, -0.1 * h), (1.1 * w, 1.1 * h))
    length = rng.uniform(0.5, 2.0) * max(h, w) if long else rng.uniform(0.04, 0.4) * max(h, w)
    angle = rng.uniform(0, np.pi)
    if long and rng.random() < 0.5:  # film is scratched along its way
        angle = rng.choice((0, np.pi / 2)) + rng.normal(0, 0.06)
    along = np.linspace(-0.5, 0.5, 24)
    a, b, c = rng.normal(0, bend, 3)
    across = a * along + b * along**2 * 2 + c * np.sin(along * rng.uniform(2, 9)) * 0.4
    u, v = np.cos(angle), np.sin(angle)
    points = np.stack([u * along - v * across, v * along + u * across], 1) * length
    return points + start


def _scratch(size: tuple[int, int], rng: np.random.Generator) -> Float:
    width = float(np.exp(rng.uniform(np.log(0.6), np.log(3.2))))
    path = _path(size, rng, 0.03, rng.random() < 0.7)
    alpha = _line(size, path, width)
    if rng.random() < 0.3:  # whatever scratched it did so more than once
        for _ in range(rng.integers(1, 4)):
            beside = (path - path[12]) @ _turn(rng.normal(0, 0.05)) + path[12]
            beside += rng.normal(0, 25, 2)
            alpha = np.maximum(alpha, _line(size, beside, width))
    return _broken(alpha, rng) if rng.random() < 0.4 else alpha


def _fiber(size: tuple[int, int], rng: np.random.Generator) -> Float:
    return _line(size, _path(size, rng, 0.6, False), rng.uniform(0.7, 1.8))


def _crack(size: tuple[int, int], rng: np.random.Generator) -> Float:
    """A jagged walk, at times with a branch."""
    alpha = np.zeros(size, np.float32)
    width = float(np.exp(rng.uniform(np.log(0.8), np.log(3))))
    position = rng.uniform(0, 1, 2) * size[::-1]
    angle = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(1, 4)):
        steps = rng.integers(6, 40)
        angles = angle + np.cumsum(rng.normal(0, 0.35, steps)) + rng.normal(0, 0.4, steps)
        strides = rng.uniform(2, 9, steps)
        moves = np.stack([np.cos(angles), np.sin(angles)], 1) * strides[:, None]
        points = position + np.vstack([(0, 0), np.cumsum(moves, 0)])
        alpha = np.maximum(alpha, _line(size, points, width))
        position = points[rng.integers(0, len(points))]
        angle += rng.choice((-1, 1)) * rng.uniform(0.5, 1.5)
        width *= rng.uniform(0.5, 1.0)
    return alpha


def _crease(size: tuple[int, int], rng: np.random.Generator) -> Float:
    """A fold: nearly straight, rough at its edges, its core worn through."""
    alpha = _line(size, _path(size, rng, 0.008, True), rng.uniform(1.5, 6))
    rough = rng.normal(0, 1, size).astype(np.float32)
    rough = np.asarray(cv2.GaussianBlur(rough, (0, 0), rng.uniform(0.7, 2)))
    edge: Float = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.6, 1.5))
    return ((edge - 0.45 + rough / rough.std() * 0.16) * 4 + 0.5).clip(0, 1) * (edge > 0.02)


def _tear(size: tuple[int, int], rng: np.random.Generator) -> Float:
    """From an edge inward, widest there, white paper inside."""
    h, w = size
    steps = rng.integers(8, 30)
    inward = np.cumsum(rng.uniform(2, 7, steps))
    astray = np.cumsum(rng.normal(0, 2.2, steps)) + rng.uniform(0, 1) * (w, h)[rng.integers(2)]
    points = np.stack([astray, inward], 1)
    half = np.linspace(rng.uniform(1.5, 6), 0.4, steps) * rng.uniform(0.6, 1.4, steps)
    outline = np.vstack([points - half[:, None] * (1, 0), (points + half[:, None] * (1, 0))[::-1]])
    alpha = np.zeros((max(h, w),) * 2, np.uint8)
    at = np.rint(outline * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(alpha, [at], 255, cv2.LINE_AA, _SHIFT)
    turned = np.rot90(alpha, int(rng.integers(4)))[:h, :w]
    return np.ascontiguousarray(turned).astype(np.float32) / 255


def _blob(alpha: Float, center: Float, radius: float, rng: np.random.Generator) -> None:
    """An irregular speck, drawn into `alpha`."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    reach = radius * rng.uniform(0.55, 1.25, 12) * (1 + 0.4 * np.cos(2 * (angles - rng.random())))
    outline = center + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]
    drawn = np.zeros(alpha.shape, np.uint8)
    at = np.rint(outline * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(drawn, [at], 255, cv2.LINE_AA, _SHIFT)
    np.maximum(alpha, drawn.astype(np.float32) / 255, out=alpha)


def _dust(size: tuple[int, int], rng: np.random.Generator) -> Float:
    """A cloud of specks of about one size."""
    alpha = np.zeros(size, np.float32)
    radius = float(np.exp(rng.uniform(np.log(0.7), np.log(3.5))))
    for _ in range(rng.integers(1, 14)):
        _blob(alpha, rng.uniform(0, 1, 2) * size[::-1], radius * rng.uniform(0.6, 1.5), rng)
    return alpha


def _stain(size: tuple[int, int], rng: np.random.Generator) -> Float:
    alpha = np.zeros(size, np.float32)
    _blob(alpha, rng.uniform(0, 1, 2) * size[::-1], rng.uniform(3, 9), rng)
    return alpha


def thin_scratch(size: tuple[int, int], rng: np.random.Generator) -> Float:
    """One to three pixels wide, across much of the picture."""
    return _line(size, _path(size, rng, 0.03, True), rng.uniform(1, 3))


_KINDS: Kinds = (
    (_scratch, 0.6, 5),
    (_fiber, 0.3, 4),
    (_crack, 0.25, 2),
    (_crease, 0.2, 2),
    (_tear, 0.08, 1),
    (_dust, 0.5, 3),
    (_stain, 0.12, 2),
)


def lookalikes(x: Float, rng: np.random.Generator) -> Float:
    """The picture with things in it that a detector must leave alone."""
    pixels = x.clip(0, 255).astype(np.uint8)  # OpenCV draws soft edges on nothing else
    kinds = (_text, _strands, _stripes, _beads, _eye, _frame, _rim)
    kinds[rng.integers(len(kinds))](pixels, rng)
    return pixels.astype(np.float32)


def _color(rng: np.random.Generator) -> tuple[float, float, float]:
    base = rng.choice((rng.uniform(0, 70), rng.uniform(180, 255), rng.uniform(0, 255)))
    r, g, b = np.clip(base + rng.uniform(-30, 30, 3), 0, 255)
    return float(r), float(g), float(b)


def _text(x: Image, rng: np.random.Generator) -> None:
    h, w = x.shape[:2]
    scale = rng.uniform(0.25, 1.6)
    color = _color(rng)
    weight = int(rng.integers(1, 3))
    at = rng.uniform(0, 1, 2) * (0.5 * w, h)
    for line in range(rng.integers(1, 5)):
        letters = "".join(chr(c) for c in rng.integers(48, 122, rng.integers(3, 22)))
        place = int(at[0]), int(at[1] + line * 32 * scale)
        font = int(rng.integers(0, 8))
        cv2.putText(x, letters, place, font, scale, color, weight, cv2.LINE_AA)


def _strands(x: Image, rng: np.random.Generator) -> None:
    """Hair, grass, lashes: many curves side by side, of similar colors."""
    path = _path(x.shape[:2], rng, 0.5, rng.random() < 0.5)
    base = np.array(_color(rng))
    spread = rng.uniform(2, 12)
    fan = rng.normal(0, 0.01)
    for i in range(rng.integers(8, 40)):
        shift = rng.normal(0, spread * 2, 2)
        turned = (path - path[0]) @ _turn(fan * i + rng.normal(0, 0.05)) + path[0] + shift
        tone = tuple((base + rng.normal(0, 14)).clip(0, 255).tolist())
        at = np.rint(turned * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(x, [at], False, tone, int(rng.integers(1, 3)), cv2.LINE_AA, _SHIFT)


def _turn(angle: float) -> Float:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _stripes(x: Image, rng: np.random.Generator) -> None:
    """Fences, wires, blinds, weave: lines at one pitch, at times crossed."""
    h, w = x.shape[:2]
    reach = 2 * max(h, w)
    pitch, width = rng.uniform(5, 18), int(rng.integers(1, 4))
    color, turn = _color(rng), rng.uniform(0, np.pi)
    low, high = np.sort(rng.uniform(-0.6, 0.6, 2)) * max(h, w)
    for angle in (turn, turn + np.pi / 2)[: rng.integers(1, 3)]:
        u = np.array([np.cos(angle), np.sin(angle)])
        v = np.array([-u[1], u[0]])
        for offset in np.arange(low, max(high, low + 5.5 * pitch), pitch):
            ends = np.array([w / 2, h / 2]) + offset * v + np.outer((-reach, reach), u)
            at = np.rint(ends * (1 << _SHIFT)).astype(np.int32)
            cv2.polylines(x, [at], False, color, width, cv2.LINE_AA, _SHIFT)


def _beads(x: Image, rng: np.random.Generator) -> None:
    """Pearls, teeth, buttons: bright round things in a row, each with its shade."""
    radius = rng.uniform(1.5, 9)
    path = _path(x.shape[:2], rng, 0.5, True)
    steps = np.hypot(*np.diff(path, axis=0).T).cumsum()
    base = np.array(_color(rng))
    for d in np.arange(0, min(steps[-1], 22 * radius), radius * rng.uniform(1.9, 2.6)):
        center = path[int(np.searchsorted(steps, d))]
        for size, tone in ((radius, base * 0.6), (radius * 0.8, base), (radius * 0.3, base + 90)):
            at = tuple(np.rint(center * (1 << _SHIFT)).astype(int).tolist())
            color = tuple(np.clip(tone, 0, 255).tolist())
            cv2.circle(x, at, int(size * (1 << _SHIFT)), color, -1, cv2.LINE_AA, _SHIFT)


def _eye(x: Image, rng: np.random.Generator) -> None:
    """White, iris, pupil, glint and lashes."""
    h, w = x.shape[:2]
    r = rng.uniform(4, 26)
    cx, cy = rng.uniform(0.1, 0.9, 2) * (w, h)
    one = 1 << _SHIFT

    def disc(dx: float, dy: float, rx: float, ry: float, tone: Any) -> None:
        center = int((cx + dx) * one), int((cy + dy) * one)
        axes = int(rx * one), int(ry * one)
        tone = tuple(float(v) for v in np.clip(np.broadcast_to(tone, 3), 0, 255))
        cv2.ellipse(x, center, axes, 0, 0, 360, tone, -1, cv2.LINE_AA, _SHIFT)

    disc(0, 0, 2.0 * r, r * rng.uniform(0.6, 1.0), rng.uniform(150, 240))
    disc(0, 0, 0.9 * r, 0.9 * r, rng.uniform(20, 130, 3))
    disc(0, 0, 0.45 * r, 0.45 * r, rng.uniform(0, 30))
    disc(rng.uniform(-0.4, 0.4) * r, -0.3 * r, 0.2 * r, 0.2 * r, rng.uniform(200, 255))
    for side in np.linspace(-1.9, 1.9, rng.integers(6, 20)):
        foot = np.array([cx + side * r, cy - r * (1 - (side / 2.2) ** 2)])
        tip = foot + r * np.array([side * 0.3, -rng.uniform(0.3, 0.7)])
        at = np.rint(np.stack([foot, tip]) * one).astype(np.int32)
        cv2.polylines(x, [at], False, (20.0, 15.0, 12.0), 1, cv2.LINE_AA, _SHIFT)


def _frame(x: Image, rng: np.random.Generator) -> None:
    """The print's border: plain, straight, along one or two sides."""
    h, w = x.shape[:2]
    tone = rng.choice((rng.uniform(200, 255), rng.uniform(0, 30))) + rng.uniform(-8, 8, 3)
    tone = np.clip(tone, 0, 255)
    for _ in range(rng.integers(1, 3)):
        depth = int(rng.uniform(0.01, 0.2) * min(h, w)) + 1
        side = rng.integers(4)
        (x[:depth], x[h - depth :], x[:, :depth], x[:, w - depth :])[side][...] = tone


def _rim(x: Image, rng: np.random.Generator) -> None:
    """Plates, tubes, cloth: a smooth shape whose edge catches the light, all along or in part."""
    side = max(x.shape[:2]) << _SHIFT
    at = rng.uniform(-0.2, 1.2, 2) * side
    axes = np.exp(rng.uniform(np.log(0.05), np.log(1.2), 2)) * side
    shape = at.astype(int).tolist(), axes.astype(int).tolist(), rng.uniform(0, 180)
    cv2.ellipse(x, *shape, 0, 360, _color(rng), -1, cv2.LINE_AA, _SHIFT)
    for _ in range(rng.integers(1, 3)):
        first, length = rng.uniform(0, 360), rng.choice((360, rng.uniform(30, 200)))
        width = int(rng.integers(1, 4))
        ends = first, first + length
        cv2.ellipse(x, *shape, *ends, _color(rng), width, cv2.LINE_AA, _SHIFT)
