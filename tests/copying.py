"""An engine that makes results quickly: the photo's bytes, and how they were asked to be."""

from collections.abc import Callable, Iterable, Iterator
from threading import Event
from typing import Any

import pytest

from enhance.engines.base import Run, failure
from enhance.errors import UnreadablePhoto
from enhance.names import result_stem
from enhance.options import Options
from enhance.records import Failure, Report, Result, Source
from enhance.sizes import scale


def marked(data: bytes, options: Options) -> bytes:
    """The bytes of a result that differ with the options."""
    return data + f", x{scale(options.size, (1, 1)):g}".encode()


class Copies:
    """The engine; see `enhance.engines.base.Engine`."""

    info = None
    replicas = running = 1

    def __init__(self, make: Callable[[bytes, Options], bytes] = marked) -> None:
        self._make = make

    def run(
        self, sources: Iterable[Source], options: Options, *, viewed: bool = False, client: str = ""
    ) -> Run:
        stop = Event()
        return Run(self._records(sources, options, stop), stop.set)

    def close(self) -> None:
        """Nothing to free."""

    def _records(
        self, sources: Iterable[Source], options: Options, stop: Event
    ) -> Iterator[Result | Failure]:
        for index, source in enumerate(sources):
            if stop.is_set():
                return
            try:
                data = self._make(source.path.read_bytes(), options)
            except OSError as error:
                why = UnreadablePhoto.because(source.name, error)
                yield failure(index, source.name, why)
                continue
            stem = result_stem(
                options.name,
                source.name,
                number=source.number,
                upscale=scale(options.size, (1, 1)),
                restorer="none",
                background="lanczos",
            )
            extension = "jpg" if options.format == "same" else options.format
            size = (1, 1)
            report = Report(
                source.name, size, size, (), (), "none", "lanczos", "d", "m", 1, "cpu", "fp32"
            )
            yield Result(index, source.name, f"{stem}.{extension}", data, report)


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command uses this engine."""

    def engine(*_: Any, **__: Any) -> Copies:
        return Copies()

    monkeypatch.setattr("enhance.cli.open_engine", engine)
