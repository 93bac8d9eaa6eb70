"""GPUs that Hugging Face's ZeroGPU lends for one photo at a time.

There the server has no GPU. A function that is marked with `spaces.GPU` runs in a fork of it that
has one, and loses it when it returns. `spaces` is installed on such Spaces, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable

import spaces

from enhance.errors import EnhanceError
from enhance.options import Options
from enhance.pipeline import Enhanced, Enhancer
from enhance.records import Checkpoint, EngineInfo, Photo

# Nothing can be timed before a GPU is lent. The guess becomes better with every photo.
_INFO = EngineInfo("cuda", "fp16", pixel_seconds=1e-6)


class LentEnhancer:
    """An `Enhancer` that works on a GPU only while it has a photo."""

    info = _INFO

    def __init__(self, load: Callable[[], Enhancer]) -> None:
        """load: makes the enhancer; called on the first GPU that is lent, and kept as long as
        ZeroGPU keeps its fork."""
        self._load = load
        self._enhancer: Enhancer | None = None
        self._lent = spaces.GPU(self._work)

    def __call__(self, photo: Photo, options: Options, checkpoint: Checkpoint) -> Enhanced:
        """As `Enhancer.__call__`, but stops before a photo only: a fork hears nothing."""
        checkpoint()
        enhanced = self._lent(photo, options)
        if isinstance(enhanced, EnhanceError):
            raise enhanced
        return enhanced

    def _work(self, photo: Photo, options: Options) -> Enhanced | EnhanceError:
        """In the fork. What is raised there arrives as the name of its class; so it is returned."""
        try:
            if self._enhancer is None:
                self._enhancer = self._load()
            return self._enhancer(photo, options, lambda: None)
        except EnhanceError as error:
            return error
