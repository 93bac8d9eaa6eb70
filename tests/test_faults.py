"""Faults in the model, on the disk, in the server: no photo is lost but the one they hit."""

import errno
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from gradio_client import Client, handle_file

from benchmarks.photos import hopper
from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import Enhanced, Enhancer, load_enhancer
from enhance.records import Failure, Photo, Result, StopCheck
from enhance.web.batches.store import BatchStore
from tests.conftest import Save
from tests.server import running
from tests.web.api_photos import IN_STEPS, QUICK, SLOW, results, square

FAST = Options(size="1x", restorer="none", background="lanczos", repair="off", tone="off")


FILES = {"1_enhanced.png": 4, "thumbnail.jpg": 5, "detail.jpg": 6}
"""Which write it is: each photo is written as the result and two small pictures."""


class Faulty:
    """An enhancer that meets a fault in certain photos, before or after its work."""

    def __init__(self, enhancer: Enhancer, faults: dict[str, BaseException], late: bool) -> None:
        self._enhancer = enhancer
        self._faults = faults
        self._late = late
        self.info = enhancer.info

    def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
        fault = self._faults.get(photo.name)
        if fault and not self._late:
            raise fault
        enhanced = self._enhancer(photo, options, stop_check)
        if fault:
            raise fault
        return enhanced


@pytest.fixture(scope="module")
def enhancer() -> Enhancer:
    return load_enhancer(Setup(device="cpu"), Limits())


FAULTS: list[Callable[[], BaseException]] = [
    lambda: ValueError("a model's own words"),
    lambda: MemoryError(),
    lambda: RuntimeError("CUDA error: device-side assert triggered"),
    lambda: RuntimeError("cannot schedule new futures after shutdown"),
    lambda: OSError(errno.ENOSPC, "No space left on device"),
    lambda: RecursionError(),
    lambda: StopIteration(),
    lambda: AssertionError(),
    lambda: SystemExit(1),  # what ends a thread in silence
]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("fault", range(len(FAULTS)))
def test_a_fault_in_the_model_takes_one_photo(
    fault: int, late: bool, save: Save, enhancer: Enhancer
) -> None:
    sources = [save(f"{i}.png", hopper()[:40, :40]) for i in range(5)]

    def load() -> Enhancer:
        return Faulty(enhancer, {"2.png": FAULTS[fault]()}, late)  # type: ignore[return-value]

    with closing(LocalEngine(load, Limits())) as engine:
        records = list(engine.run(sources, FAST))
        again = list(engine.run(sources[:2], FAST))  # the thread is still there
    assert [type(record) for record in records] == [Result, Result, Failure, Result, Result]
    assert "“2.png”" in records[2].reason  # type: ignore[union-attr]
    assert [type(record) for record in again] == [Result, Result]


@pytest.mark.parametrize("file", ["1_enhanced.png", "thumbnail.jpg"])
def test_a_full_disk_takes_one_photo(
    file: str, save: Save, enhancer: Enhancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [save(f"{i}.png", hopper()[:40, :40]) for i in range(4)]
    write = Path.write_bytes
    written: list[Path] = []

    def write_half(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) == FILES[file]:
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_half)
    engine = LocalEngine(lambda: enhancer, Limits())
    with closing(engine):
        batch = BatchStore(engine, tmp_path / "files", Limits()).start(
            sources, FAST, "one", viewed=True
        )
        entries = list(batch.records())
    assert len(entries) == 4
    assert len(written) >= 7
    kept = [file for file in batch.folder.rglob("*") if file.is_file()]
    assert not [path for path in kept if path.name.endswith(".part")]
    lost = [entry for entry in entries if entry.failure]
    if file != "1_enhanced.png":  # only a small picture is missing
        assert not lost
    else:
        (entry,) = lost
        assert entry.failure and "“1.png” could not be saved" in entry.failure.reason
    for entry in entries:
        assert (entry.version is None) == (entry in lost)
        if entry.version:
            assert entry.version.file.stat().st_size


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_asked_to_end_in_mid_batch(number: signal.Signals, tmp_path: Path) -> None:
    """It ends in time, with code 0, what was finished sent and its files cleared away."""
    photos = [square(tmp_path / f"quick{i}.png", QUICK) for i in range(2)]
    photos += [square(tmp_path / f"slow{i}.png", 4 * SLOW) for i in range(3)]
    with running(tmp_path) as server:
        client = Client(server.url, verbose=False)
        job = client.submit([*map(handle_file, photos)], **IN_STEPS, api_name="/enhance_batch")
        received = [next(job) for _ in range(2)]
        assert len(results(server, "quick?")) == 2
        server.process.send_signal(number)
        assert server.process.wait(10) == 0
        assert all(Path(file).stat().st_size for file, _ in received)
        assert not list(server.files.glob("results-*"))
        assert "Traceback" not in server.log.read_text()
