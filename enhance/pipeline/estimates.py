"""Estimates how long photos will take, from the models' speed and the photos finished so far."""

import threading
from collections.abc import Callable, Iterable, Sequence
from math import prod

from enhance.i18n import Sentence, say
from enhance.models.catalogue import MODELS
from enhance.options import Options
from enhance.pipeline.model_choice import resolve
from enhance.records import EngineInfo, Report

# Costs of the steps before the models, as in the catalogue.
_STEPS = {"repair": 0.004, "tone": 0.002, "colorize": 0.004}
_MEGAPIXEL_SECONDS = 0.12  # everything but the networks, per output megapixel
_FRESH = 0.3  # weight of the newest photo in the running means


class Estimator:
    """Running means of the seconds that each model takes per face or per pixel.

    Nothing can be estimated until the models are loaded, because only then is the device's speed
    known. Thread-safe.
    """

    def __init__(self, info: Callable[[], EngineInfo | None]) -> None:
        """info: returns the engine's `info`, None until its models are loaded."""
        self._info = info
        self._learnt: dict[str, float] = {}  # measured cost of each model, as in the catalogue
        self._per_output_megapixel = _MEGAPIXEL_SECONDS
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether the models are loaded."""
        return self._info() is not None

    def seconds(
        self, sizes: Iterable[tuple[int, int]], options: Options, faces: float = 1
    ) -> float | None:
        """Expected seconds for photos of these sizes (width, height) with `faces` faces each.

        None until the models are loaded.
        """
        info = self._info()
        if info is None:
            return None
        options = self.resolved(options)
        background = self._cost(options.background)
        certain = (step for step in _STEPS if getattr(options, step) not in ("off", "auto", 0))
        steps = sum(map(self._cost, certain))
        restorer = self._cost(options.restorer) * faces
        seconds = 0.0
        for size in sizes:
            photo, output = prod(size), prod(options.output_size(size))
            cost = background * min(photo, output) + steps * photo + restorer
            seconds += cost * info.pixel_seconds + self._per_output_megapixel * output / 1e6
        return seconds

    def seconds_like(
        self,
        done: Sequence[tuple[Report, Options]],
        sizes: Iterable[tuple[int, int]],
        options: Options,
    ) -> float | None:
        """Expected seconds for photos of these sizes, with as many faces as those that are done,
        and at their pace: a machine may be slower now, and what photos need differs more between
        batches than within one. Without such photos, as `seconds`."""
        if not done:
            return self.seconds(sizes, options)
        faces = sum(len(report.restored) for report, _ in done) / len(done)
        expected = self.seconds(sizes, options, faces)
        usual = sum(self.seconds([one.source_size], used, faces) or 0 for one, used in done)
        if expected is None or not usual:
            return expected
        return expected * sum(sum(report.seconds.values()) for report, _ in done) / usual

    def resolved(self, options: Options) -> Options:
        """The options without "auto"; until the models are loaded, as they would be on a CPU."""
        info = self._info()
        return resolve(options, info.device if info else "cpu")[0]

    def learn(self, report: Report) -> None:
        """Add a finished photo's stages to the running means."""
        info = self._info()
        if info is None:
            return
        spent = dict(report.seconds)
        photo, output = prod(report.source_size), prod(report.output_size)
        with self._lock:
            # A background network sees no more pixels than the result has.
            seen = min(photo, output) * info.pixel_seconds
            self._blend(report.background, spent.pop("upscale", 0.0) / seen)
            for step in _STEPS.keys() & spent.keys():
                self._blend(step, spent.pop(step) / (photo * info.pixel_seconds))
            restore = spent.pop("restore", 0.0) / info.pixel_seconds
            if report.restored:
                self._blend(report.restorer, restore / len(report.restored))
            # Tiny photos say nothing about the time per megapixel.
            rest = sum(spent.values()) / max(output / 1e6, 0.25)
            self._per_output_megapixel += _FRESH * (rest - self._per_output_megapixel)

    def _blend(self, model: str, cost: float) -> None:
        known = self._cost(model)
        self._learnt[model] = known + _FRESH * (cost - known)

    def _cost(self, model: str) -> float:
        """A model's cost, measured or else from the catalogue; 0 for "none"."""
        if model in self._learnt:
            return self._learnt[model]
        return MODELS[model].cost if model in MODELS else _STEPS.get(model, 0.0)


def readable(seconds: float, *, tenths: bool = False) -> Sentence:
    """A duration in readable units: "3 s" (or "2.6 s"), "2 min", "1 h 5 min"."""
    if seconds < 99:
        if tenths:
            return say("{seconds:.1f} s", seconds=seconds)
        return say("{seconds:.0f} s", seconds=max(1, seconds))
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return say("{minutes} min", minutes=minutes)
    return say("{hours} h {minutes} min", hours=hours, minutes=minutes)
