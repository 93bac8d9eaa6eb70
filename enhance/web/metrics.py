"""Metrics for operators, counted since the server started, in the Prometheus format."""

from collections.abc import Callable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from enhance.records import Failure, Result

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


class Metrics:
    """Only numbers, nothing about a photo or a person. Thread-safe."""

    def __init__(self) -> None:
        disable_created_metrics()  # they would add to each metric the time of its first count
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry, buckets=_SECONDS)
        self._photos = counter("enhance_photos", "Photos that were enhanced.")
        self._failures = counter(
            "enhance_failures",
            "Photos that could not be enhanced, by the class of the error.",
            ["kind"],
        )
        self._stages = histogram(
            "enhance_stage_seconds", "What the stages of an enhanced photo took.", ["stage"]
        )
        self._waits = histogram(
            "enhance_wait_seconds", "How long batches waited for the work on their first photo."
        )

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is read whenever the metrics are requested."""
        Gauge(name, about, registry=self.registry).set_function(value)

    def waited(self, seconds: float) -> None:
        """Record how long a batch waited for the work on its first photo."""
        self._waits.observe(max(0.0, seconds))

    def count(self, record: Result | Failure) -> None:
        """Count a finished or failed photo."""
        if isinstance(record, Failure):
            self._failures.labels(record.kind).inc()
            return
        self._photos.inc()
        for stage, seconds in record.report.seconds.items():
            self._stages.labels(stage).observe(seconds)
