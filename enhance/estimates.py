"""How long a photo will take: a guess from the models' speed, better with every photo seen."""

from __future__ import annotations

from enhance.records import EngineInfo, Options, Report, default_background

_FACE_PIXELS = 150 * 150  # what the bundled restorer typically works on per face
_MEGAPIXEL_SECONDS = 0.12  # everything but the networks, per output megapixel
_FRESH = 0.3  # weight of the newest photo in the running means


class Estimator:
    """Running means of seconds per face and per pixel, by model name."""

    def __init__(self, info: EngineInfo) -> None:
        self._device = info.device
        self._per_face: dict[str, float] = {"bundled": _FACE_PIXELS * info.pixel_seconds}
        self._per_pixel: dict[str, float] = {"realesrgan": info.pixel_seconds, "lanczos": 5e-8}
        self._per_output_megapixel = _MEGAPIXEL_SECONDS

    def seconds(self, size: tuple[int, int], options: Options, faces: int = 1) -> float:
        """Expected seconds for a photo of `size` (width, height) with so many faces."""
        pixels = size[0] * size[1]
        background = options.background
        if background == "auto":
            background = default_background(self._device)
        total = self._per_pixel.get(background, 0.0) * pixels
        total += self._per_output_megapixel * pixels * options.upscale**2 / 1e6
        return total + faces * self._per_face.get(options.restorer, 0.0)

    def learn(self, report: Report) -> None:
        """Take a finished photo's stages into the means."""
        spent = dict(report.seconds)
        pixels = report.source_size[0] * report.source_size[1]
        _blend(self._per_pixel, report.background, spent.pop("upscale", 0.0) / pixels)
        restore = spent.pop("restore", 0.0)
        if restore:
            _blend(self._per_face, report.restorer, restore / len(report.faces))
        output = report.output_size[0] * report.output_size[1] / 1e6
        # Tiny photos say nothing about megapixels.
        rest = sum(spent.values()) / max(output, 0.25)
        self._per_output_megapixel += _FRESH * (rest - self._per_output_megapixel)


def _blend(means: dict[str, float], key: str, value: float) -> None:
    means[key] = means.get(key, value) * (1 - _FRESH) + value * _FRESH


def readable(seconds: float, *, tenths: bool = False) -> str:
    """Seconds as people say them: "3 s" (or "2.6 s"), "2 min", "1 h 5 min"."""
    if seconds < 99:
        return f"{seconds:.1f} s" if tenths else f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
