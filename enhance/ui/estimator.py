"""The estimator of a server whose models load while its page is served already."""

from __future__ import annotations

import threading

from enhance.engines.base import Engine
from enhance.estimates import Estimator

_PATIENCE = 20  # seconds that a page waits for models that are still loading


class EstimatorSlot:
    """Holds the estimator, once any of the engine's models are loaded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._estimator: Estimator | None = None
        self._lock = threading.Lock()
        self._tried = threading.Event()

    @property
    def value(self) -> Estimator | None:
        """The estimator; None as long as no models are loaded."""
        with self._lock:
            if self._estimator is None and (info := self._engine.info):
                self._estimator = Estimator(info)
            return self._estimator

    def tried(self) -> None:
        """The models were loaded at the server's start, or could not be."""
        self._tried.set()

    def wait(self) -> Estimator | None:
        """The estimator, or None if the models take longer than a page should wait for them."""
        if not self.value:
            self._tried.wait(_PATIENCE)
        return self.value
