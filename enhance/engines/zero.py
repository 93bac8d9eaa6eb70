"""GPUs that Hugging Face's ZeroGPU lends for one photo at a time.

On ZeroGPU the server itself has no GPU. A function wrapped in `spaces.GPU` runs in a fork of the
server that has one until the function returns. `spaces` is installed only on such Spaces.
"""

from collections.abc import Callable

import spaces

from enhance.errors import EnhanceError
from enhance.options import Options
from enhance.pipeline.enhancer import Enhanced, Enhancer
from enhance.records import EngineInfo, Photo, StopCheck

# Nothing can be timed before a GPU is lent; estimates based on this guess improve with every photo.
_INFO = EngineInfo("cuda", "fp16", pixel_seconds=1e-6)


class LentEnhancer(Enhancer):
    """Holds a GPU only while it works on a photo."""

    def __init__(self, load: Callable[[], Enhancer]) -> None:
        """load: makes the enhancer; called on the first GPU that is lent. The enhancer lives as
        long as ZeroGPU keeps the fork."""
        self.info = _INFO
        self._load = load
        self._enhancer: Enhancer | None = None
        self._lent = spaces.GPU(self._work)

    def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
        """As `Enhancer.__call__`, but a stop takes effect only before a photo: nothing reaches a
        running fork."""
        stop_check()
        enhanced = self._lent(photo, options)
        if isinstance(enhanced, EnhanceError):
            raise enhanced
        return enhanced

    def _work(self, photo: Photo, options: Options) -> Enhanced | EnhanceError:
        """Runs in the fork. Errors are returned, because of a raised one only its class's name
        would arrive."""
        try:
            if self._enhancer is None:
                self._enhancer = self._load()
            return self._enhancer(photo, options, lambda: None)
        except EnhanceError as error:
            return error
