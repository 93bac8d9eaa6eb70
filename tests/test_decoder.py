"""Workers that crash, hang, swell or flood: one photo fails, its neighbors do not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from benchmarks import fuzz
from benchmarks.photos import astronaut
from enhance.engines.local import LocalEngine
from enhance.errors import PhotoError, UnreadablePhoto
from enhance.i18n import Sentence
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import Decoder, decode, size_of
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhancer
from enhance.records import EngineInfo, Failure, Photo, Result, Source
from enhance.web.language import CHINESE
from tests.conftest import Save
from tests.pictures import deep_png
from tests.sabotage import (
    answer_with_code,
    crash,
    environment,
    flood,
    group,
    handles,
    hoard,
    keep,
    leave,
    sleep,
    spin,
    write,
)

ROOT = Path(__file__).parents[1]
QUICK = Options(restorer="none", background="lanczos", repair="off", tone="off", size="1x")
DEADLINE = 60  # seconds until a test that hangs fails; nothing is timed


class Sabotaged(Decoder):
    """Meets a fault in photos that are called after it."""

    faults: ClassVar = {
        each.__name__: each for each in (crash, leave, sleep, spin, hoard, answer_with_code)
    }

    def __call__(self, source: Source, limits: Limits) -> Photo:
        fault: Callable[[Source], Photo] | None = self.faults.get(source.path.stem)  # type: ignore[assignment]
        return self.run(fault, source, source) if fault else super().__call__(source, limits)


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    with closing(Decoder(1)) as one:
        yield one


@pytest.fixture
def photo(save: Save) -> Source:
    return save("photo.png", astronaut()[::8, ::8])


def children() -> list[str]:
    """The state of each process that this one has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if int(parent) == os.getpid():
            found.append(state)
    return found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_gone(process: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ("crash", "UnreadablePhoto", "crashes the decoder"),
        ("leave", "UnreadablePhoto", "crashes the decoder"),
        ("answer_with_code", "UnreadablePhoto", "crashes the decoder"),
        ("sleep", "UnsupportedPhoto", "takes far more time or memory"),
        ("spin", "UnsupportedPhoto", "takes far more time or memory"),
        ("hoard", "UnsupportedPhoto", "takes far more time or memory"),
    ],
)
def test_a_worker_that_ends_fails_one_photo_and_is_replaced(
    models: ResidentModels, save: Save, fault: str, kind: str, reason: str
) -> None:
    names = ["a.png", f"{fault}.png", "b.png", f"{fault}.jpg", "c.png"]
    sources = [save(name, astronaut()[::8, ::8]) for name in names]
    enhancer = Enhancer(models, Limits(), EngineInfo("cpu", "fp32", 1e-4))
    before = len(children())
    with (
        closing(Sabotaged(1, patience=8)) as decoder,
        closing(LocalEngine(lambda: enhancer, Limits(), decoder)) as engine,
    ):
        records = list(engine.run(sources, QUICK))
        assert [isinstance(record, Result) for record in records] == [True, False] * 2 + [True]
        for record in records:
            if isinstance(record, Failure):
                assert record.kind == kind
                assert f"“{record.name}”" in record.reason and reason in record.reason
                assert isinstance(record.reason, Sentence) and record.reason.template in CHINESE
        until(lambda: len(children()) <= before + 1 and "Z" not in children())
    assert "TAKEN" not in os.environ
    until(lambda: len(children()) <= before)


def test_a_flood_of_output_goes_nowhere(
    photo: Source,
    decoder: Decoder,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = decoder.run(flood, photo, photo, Limits())
    assert whole.size == (64, 64)
    assert capfd.readouterr() == ("", "")
    said = [record.message for record in caplog.records if record.name == "flood"]
    assert said[0].startswith("0 yyy") and len("".join(said)) < 100_000


def test_a_worker_gives_what_decoding_here_gives(tmp_path: Path, decoder: Decoder) -> None:
    for label, content in fuzz.corpus().items():
        source = Source(tmp_path / "photo", label)
        source.path.write_bytes(content)
        ours, its = decode(source), decoder(source, Limits())
        for name, value in vars(ours).items():
            np.testing.assert_array_equal(getattr(its, name), value, f"{label}: {name}")
        assert decoder.size_of(source.path) == size_of(source.path)


def test_large_photos_come_back_whole(tmp_path: Path, decoder: Decoder) -> None:
    """More than the 64 MB of shared memory that Docker gives, with pixels of two kinds."""
    deep = np.random.default_rng(0).integers(0, 65536, (2500, 5000, 4)).astype(np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(deep_png(deep))
    whole = decoder(Source.of(path), Limits(max_bytes=10**9))
    assert whole.alpha is not None
    assert (whole.rgb == deep[..., :3]).all() and (whole.alpha == deep[..., 3]).all()


def test_errors_of_a_photo_are_the_same_as_here(tmp_path: Path, decoder: Decoder) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    for name in ("bad.jpg", "gone.jpg"):
        source = Source.of(tmp_path / name)
        with pytest.raises(PhotoError) as here:
            decode(source)
        with pytest.raises(type(here.value)) as there:
            decoder(source, Limits())
        assert there.value.sentence == here.value.sentence
        assert isinstance(there.value.sentence, Sentence)
        assert decoder.size_of(source.path) is None


def test_a_worker_that_has_grown_is_replaced(photo: Source, decoder: Decoder) -> None:
    first = decoder.run(keep, photo, photo, 0)
    for _ in range(3):
        assert decoder.run(keep, photo, photo, 100_000_000) == first
    assert decoder.run(keep, photo, photo, 0) != first
    until(lambda: is_gone(first))


def test_a_worker_that_is_killed_while_idle_harms_no_photo(photo: Source, decoder: Decoder) -> None:
    for pause in (0, 0.001, 0.5):  # after the last one it is ready for the next photo
        worker = decoder.run(keep, photo, photo, 0)
        time.sleep(pause)
        os.kill(worker, signal.SIGKILL)
        assert decoder(photo, Limits()).size == (64, 64)


def test_a_worker_has_no_handles_and_no_heavy_libraries(photo: Source, decoder: Decoder) -> None:
    with photo.path.open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        open_there = decoder.run(handles, photo, photo)
    sockets = [target for target in open_there.values() if target.startswith("socket:")]
    # Newer libffi (3.8) keeps its own file open, to map code from it.
    others = {target for target in open_there.values() if "/libffi.so" not in target}
    assert len(sockets) == 1 and others - set(sockets) == {"/dev/null"}
    assert decoder.run(group, photo, photo) != os.getsid(0), "Ctrl-C would reach it"


def test_a_worker_knows_no_passwords(photo: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENHANCE_AUTH", "RAY_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    with closing(Decoder(1)) as fresh:
        seen = fresh.run(environment, photo, photo)
    assert "secret" not in seen.values()
    assert seen["PATH"] == os.environ["PATH"]


def test_a_worker_cannot_fill_the_disk(photo: Source, decoder: Decoder, tmp_path: Path) -> None:
    endless = tmp_path / "endless"
    with pytest.raises(UnreadablePhoto, match="crashes the decoder"):
        decoder.run(write, photo, photo, endless)
    assert endless.stat().st_size < 2e9


def script(tmp_path: Path, code: str) -> subprocess.Popen[str]:
    """A program that has no guard against being imported."""
    path = tmp_path / "script.py"
    path.write_text(code)
    return subprocess.Popen(
        [sys.executable, path, tmp_path / "photo.png"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


BUSY = """
import sys, threading, time
from enhance.photos import Decoder
from enhance.records import Source
from tests.sabotage import keep, libraries, sleep
photo, decoder = Source.of(sys.argv[1]), Decoder(1)
print(decoder.run(libraries, photo, photo), decoder.run(keep, photo, photo, 0), flush=True)
threading.Thread(target=decoder.run, args=(sleep, photo, photo), daemon=True).start()
time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_server(photo: Source, tmp_path: Path, number: int) -> None:
    with script(tmp_path, BUSY) as server:
        assert server.stdout and server.stderr
        *_, worker = server.stdout.readline().split()
        os.killpg(server.pid, number)
        server.wait(DEADLINE)
        until(lambda: is_gone(int(worker)))
        tracebacks = server.stderr.read().count("Traceback")
    assert tracebacks == (number == signal.SIGINT), "the server's own, no worker's"


def test_a_script_is_run_once_although_it_has_no_guard(photo: Source, tmp_path: Path) -> None:
    code = """
import sys
from enhance import LocalEngine, Limits, Options, Source
from enhance.photos import DECODER
print("ran", DECODER(Source.of(sys.argv[1]), Limits()).size)
"""
    out, err = script(tmp_path, code).communicate(timeout=DEADLINE)
    assert (out, err) == ("ran (64, 64)\n", "")


def test_where_no_worker_can_be_started_photos_are_decoded_here(
    photo: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with closing(Decoder(1)) as decoder:
        decoder.start()
        for _ in range(3):
            assert decoder(photo, Limits()).size == (64, 64)
    (said,) = [record.message for record in caplog.records if record.name.endswith("worker_pool")]
    assert said.startswith("photos are decoded in this process, as no other can be started: No su")


def test_a_worker_that_cannot_be_replaced_is_no_reason_to_do_without(
    photo: Source, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnreadablePhoto):
        decoder.run(crash, photo, photo)
    decoder.close()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(UnreadablePhoto, match=r"“photo\.png” cannot be read: No such file"):
            decoder(photo, Limits())
    assert decoder(photo, Limits()).size == (64, 64)


def test_a_photo_that_waits_for_a_slow_one_takes_another_worker(photo: Source) -> None:
    with closing(Decoder(2)) as decoder:
        first = decoder.run(keep, photo, photo, 0)
        worker = decoder._free.get()
        assert decoder.run(keep, photo, photo, 0) != first
        decoder._free.put(worker)
