"""What an operator watches, counted since the server's start, in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

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
    """Numbers alone: nothing of a photo or a person. Safe from any thread."""

    def __init__(self) -> None:
        disable_created_metrics()  # a further number for each, the time of its first count
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._photos = Counter(
            "enhance_photos", "Photos that were enhanced.", registry=self.registry
        )
        self._failures = Counter(
            "enhance_failures",
            "Photos that could not be enhanced, by the class of the error.",
            ["kind"],
            registry=self.registry,
        )
        self._stages = Histogram(
            "enhance_stage_seconds",
            "What the stages of an enhanced photo took.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._waits = Histogram(
            "enhance_wait_seconds",
            "How long batches waited for the work on their first photo.",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a number that is read whenever it is asked for."""
        Gauge(name, about, registry=self.registry).set_function(value)

    def waited(self, seconds: float) -> None:
        """Count the wait of a batch."""
        self._waits.observe(max(0.0, seconds))

    def count(self, record: Result | Failure) -> None:
        """Count a photo that is finished."""
        if isinstance(record, Failure):
            self._failures.labels(record.kind).inc()
            return
        self._photos.inc()
        for stage, seconds in record.report.seconds.items():
            self._stages.labels(stage).observe(seconds)
