"""How long a photo will take: a guess from the models' speed, better with every photo seen."""

from __future__ import annotations

from collections.abc import Iterable

from enhance.choices import resolve
from enhance.records import EngineInfo, Options, Report
from enhance.sentences import Sentence, say

# What each model costs, in input pixels of the bundled ×4 network (measured on a CPU).
_FACE_PIXELS = {
    "bundled": 22_500,
    "gfpgan-1.2": 12_000,
    "gfpgan-1.3": 12_000,
    "gfpgan-1.4": 12_000,
    "restoreformer": 30_000,
}
_BACKGROUND_PIXELS = {
    "lanczos": 0.0005,
    "compact": 0.03,
    "realesrgan": 1.0,
    "realesrgan-x2plus": 0.25,
    "realesr-general-x4v3": 0.07,
}
_BEFORE_PIXELS = {"repair": 0.004, "tone": 0.002}  # what comes before, if it is asked for
_MEGAPIXEL_SECONDS = 0.12  # everything but the networks, per output megapixel
_FRESH = 0.3  # weight of the newest photo in the running means


class Estimator:
    """Running means of seconds per face and per pixel, by model name."""

    def __init__(self, info: EngineInfo) -> None:
        self._device = info.device
        self._per_face = {k: v * info.pixel_seconds for k, v in _FACE_PIXELS.items()}
        self._per_pixel = {k: v * info.pixel_seconds for k, v in _BACKGROUND_PIXELS.items()}
        self._before = {k: v * info.pixel_seconds for k, v in _BEFORE_PIXELS.items()}
        self._per_output_megapixel = _MEGAPIXEL_SECONDS

    def seconds(self, size: tuple[int, int], options: Options, faces: int = 1) -> float:
        """Expected seconds for a photo of `size` (width, height) with so many faces."""
        return self.total([size], options, faces)

    def total(self, sizes: Iterable[tuple[int, int]], options: Options, faces: int = 1) -> float:
        """Expected seconds for photos of these sizes with so many faces each."""
        options, _ = resolve(options, self._device)
        return sum(self._one(width * height, options, faces) for width, height in sizes)

    def _one(self, pixels: int, options: Options, faces: int) -> float:
        total = self._per_pixel[options.background] * pixels
        total += pixels * sum(
            cost for step, cost in self._before.items() if getattr(options, step) != "off"
        )
        total += self._per_output_megapixel * pixels * options.upscale**2 / 1e6
        return total + faces * self._per_face.get(options.restorer, 0.0)

    def learn(self, report: Report) -> None:
        """Take a finished photo's stages into the means."""
        spent = dict(report.seconds)
        pixels = report.source_size[0] * report.source_size[1]
        _blend(self._per_pixel, report.background, spent.pop("upscale", 0.0) / pixels)
        for step in self._before.keys() & spent.keys():
            _blend(self._before, step, spent.pop(step) / pixels)
        restore = spent.pop("restore", 0.0)
        if report.restored:
            _blend(self._per_face, report.restorer, restore / len(report.restored))
        output = report.output_size[0] * report.output_size[1] / 1e6
        # Tiny photos say nothing about megapixels.
        rest = sum(spent.values()) / max(output, 0.25)
        self._per_output_megapixel += _FRESH * (rest - self._per_output_megapixel)


def _blend(means: dict[str, float], key: str, value: float) -> None:
    means[key] = means[key] * (1 - _FRESH) + value * _FRESH


def readable(seconds: float, *, tenths: bool = False) -> Sentence:
    """Seconds as people say them: "3 s" (or "2.6 s"), "2 min", "1 h 5 min"."""
    if seconds < 99:
        if tenths:
            return say("{seconds:.1f} s", seconds=seconds)
        return say("{seconds:.0f} s", seconds=max(1, seconds))
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return say("{minutes} min", minutes=minutes)
    return say("{hours} h {minutes} min", hours=hours, minutes=minutes)
