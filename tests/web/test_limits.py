"""The limits of a server: what is too much is refused with a sentence, the rest goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import Browser, expect

from app import accounts
from enhance.engines.local import LocalEngine
from enhance.errors import NoRoom, OptionsError, TooManyPhotos
from enhance.limits import Limits, whole_number
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhanced, Enhancer, load_enhancer
from enhance.records import EngineInfo, Failure, Photo, Result, Source, StopCheck
from enhance.web.batches.batch import Batch
from enhance.web.batches.disk_shares import files_in
from enhance.web.batches.store import MOST_BATCHES, BatchStore
from enhance.web.batches.waiting_list import SILENT_SECONDS, WaitingList
from tests.enhancers import SETUP
from tests.server import ROOT, Server, running
from tests.web.api_photos import QUICK, square
from tests.web.hands import copies, drop, finish

FAST = Options(size="1x", restorer="none", background="lanczos", repair="off", tone="off")
NAMES = [field.name for field in fields(Limits)]


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    with closing(
        LocalEngine(lambda: load_enhancer(Setup(device="cpu"), Limits()), Limits())
    ) as engine:
        yield engine


def noise(folder: Path, name: str, edge: int = 100) -> Source:
    """A photo of about 3 × edge² bytes."""
    path = folder / f"{name}.png"
    pixels = np.random.default_rng(edge).integers(0, 256, (edge, edge, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return Source.of(path)


def finished(batches: BatchStore, source: Source, client: str = "one") -> Batch:
    batch = batches.start([source], FAST, client, client=client)
    assert [entry.state for entry in batch.records()] == ["done"]
    return batch


@pytest.mark.parametrize("name", NAMES)
def test_each_limit_can_be_set(name: str) -> None:
    changed = Limits.from_environment({f"ENHANCE_{name.upper()}": "7"})
    assert asdict(changed) == asdict(Limits()) | {name: 7}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "1e9", "100 MB", "none", "²", "0x10"])
def test_a_bad_limit_is_a_sentence(name: str, value: str) -> None:
    variable = f"ENHANCE_{name.upper()}"
    with pytest.raises(OptionsError, match=f"{variable} must be a whole number from 1"):
        Limits.from_environment({variable: value})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ENHANCE_MAX_PIXELS", "many"), ("ENHANCE_LOG_FORMAT", "xml")],
)
def test_a_server_with_a_bad_setting_says_so_and_ends(
    variable: str, value: str, tmp_path: Path
) -> None:
    with (
        pytest.raises(RuntimeError, match=f"{variable} must be"),
        running(tmp_path, **{variable: value}),
    ):
        pass
    assert "Traceback" not in (tmp_path / "server.log").read_text()


@pytest.mark.parametrize("value", ["", "web", "0", "65536", "9" * 5000])
def test_a_bad_port_is_a_sentence(value: str) -> None:
    with pytest.raises(OptionsError, match="PORT must be a whole number from 1 to 65535"):
        whole_number("PORT", 7860, {"PORT": value}, most=65535)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such limit")
def test_a_server_may_open_as_many_files_as_the_system_allows() -> None:
    code = (
        "import resource, app; most = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, most)); app.allow_open_files();"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) in ((most, most), (100, -1))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


def test_accounts() -> None:
    assert accounts({}) is None
    assert accounts({"ENHANCE_AUTH": "ann:a:b, bob:c"}) == [("ann", "a:b"), ("bob", "c")]


@pytest.mark.parametrize("value", ["", "ann", ":", "ann:", ":a", "ann:a,", "ann:a,bob"])
def test_bad_accounts_never_open_the_server(value: str) -> None:
    with pytest.raises(OptionsError, match="ENHANCE_AUTH must be user:password"):
        accounts({"ENHANCE_AUTH": value})


def test_too_many_photos(engine: LocalEngine, tmp_path: Path) -> None:
    batches = BatchStore(engine, tmp_path / "files", Limits(max_photos=2))
    source = noise(tmp_path, "a")
    with pytest.raises(TooManyPhotos, match="You sent 3 photos; a batch may have at most 2"):
        batches.start([source] * 3, FAST, "one")
    assert len(list(batches.start([source] * 2, FAST, "one").records())) == 2


class Endless(Enhancer):
    """Never comes to an end with a photo that is called so."""

    def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
        while photo.name == "endless.png":
            stop_check()
            time.sleep(0.01)
        return super().__call__(photo, options, stop_check)


def test_a_photo_that_takes_too_long(tmp_path: Path) -> None:
    """It is stopped at the model, and the others are done."""
    few = Limits(max_seconds=2)
    names = "a.png", "endless.png", "c.png"
    sources = [Source.of(square(tmp_path / name, 8)) for name in names]

    def load() -> Enhancer:
        return Endless(ResidentModels(SETUP), few, EngineInfo("cpu", "fp32", 1e-4))

    with closing(LocalEngine(load, few)) as engine:
        first, late, last = engine.run(sources, FAST)
        assert isinstance(first, Result) and isinstance(last, Result)
        assert isinstance(late, Failure) and late.kind == "TookTooLong"
        assert "“endless.png” was stopped because it took longer than 2 seconds" in late.reason


def test_a_clients_oldest_finished_batches_make_room_for_its_own(
    engine: LocalEngine, tmp_path: Path
) -> None:
    source = noise(tmp_path, "a")  # 30 KB, and so is its result
    batches = BatchStore(engine, tmp_path / "files", Limits(max_disk_bytes=600_000))
    others = finished(batches, source, "other")
    made = [finished(batches, source) for _ in range(8)]
    left = [batch for batch in made if batches.get(batch.key)]
    assert 0 < len(left) < len(made)
    assert left == made[-len(left) :]
    assert [batch.folder.exists() for batch in made] == [batch in left for batch in made]
    assert batches.get(others.key)


def test_a_used_share_refuses_batches_but_keeps_those_at_work(
    engine: LocalEngine, tmp_path: Path
) -> None:
    batches = BatchStore(engine, tmp_path / "files", Limits(max_disk_bytes=500_000))
    source = noise(tmp_path, "a")
    working = batches.start([source, source], FAST, "one", client="one")
    records = working.records()
    assert next(records).state == "done"
    with pytest.raises(NoRoom, match="your share of this server's disk"):
        batches.room.take("one", 100_000)
    assert batches.get(working.key)
    assert next(records).state == "done"
    assert all(entry.version and entry.version.file.exists() for entry in working.entries)
    assert list(records) == []
    batches.room._refused.clear()  # the next look is not due yet
    batches.room.take("one", 100_000)  # now the first may go
    assert batches.get(working.key) is None and not working.folder.exists()


def test_a_result_beyond_the_share_fails_with_its_reason(
    engine: LocalEngine, tmp_path: Path
) -> None:
    batches = BatchStore(engine, tmp_path / "files", Limits(max_disk_bytes=320_000))
    batch = batches.start([noise(tmp_path, "a")] * 3, FAST, "one", client="one")
    states = [entry.state for entry in batch.records()]
    assert states == ["done", "done", "failed"]
    failure = batch.entries[2].failure
    assert failure and "“a.png” could not be saved: Disk quota exceeded" in failure.reason
    assert finished(batches, noise(tmp_path, "b"), "other").finished


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder from which nothing can be linked."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        pytest.skip("this system has no file system in memory")
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_what_is_copied_into_a_batch_takes_from_the_clients_share(
    engine: LocalEngine, tmp_path: Path, elsewhere: Path
) -> None:
    root = tmp_path / "files"
    batches = BatchStore(engine, root, Limits(max_disk_bytes=400_000))
    photos = [noise(elsewhere, str(number)) for number in range(6)]  # of 30 KB
    batch = batches.start(photos[:2], None, "one", client="one", viewed=True)
    assert sum(path.stat().st_size for path in batch.folder.glob("*/*")) > 60_000
    with pytest.raises(NoRoom, match="your share of this server's disk"):
        batches.add(batch, photos[2:])
    assert [entry.source.name for entry in batch.entries] == ["0.png", "1.png"]
    assert {*batch.folder.glob("*/*")} == {entry.source.path for entry in batch.entries}
    assert {*batch.folder.iterdir()} == {entry.folder for entry in batch.entries}
    assert batches.get(batch.key) is batch, "it is not what makes room for its own photos"
    batches.room._refused.clear()  # the next look is not due yet
    with pytest.raises(NoRoom, match="your share of this server's disk"):
        batches.start(photos[2:], None, "one", client="one", viewed=True)
    assert {path.name for path in root.glob("results-*/*")} <= {batch.key}
    assert batches.start(photos[:2], None, "two", client="two", viewed=True).entries


def test_who_has_used_up_a_share_adds_no_photos(engine: LocalEngine, tmp_path: Path) -> None:
    batches = BatchStore(engine, tmp_path / "files", Limits(max_disk_bytes=400_000))
    batch = batches.start([noise(tmp_path, "a")], None, "one", client="one", viewed=True)
    (batch.folder / "large").write_bytes(bytes(200_000))
    batches.sweep()
    with pytest.raises(NoRoom, match="your share of this server's disk"):
        batches.add(batch, [noise(tmp_path, "b")])
    assert len(batch.entries) == 1 and batches.get(batch.key) is batch


def test_a_client_has_so_many_batches_of_the_page(engine: LocalEngine, tmp_path: Path) -> None:
    batches = BatchStore(engine, tmp_path / "files", Limits())
    photo = [noise(tmp_path, "a", 8)]
    working = batches.start(photo, FAST, "one", client="one", viewed=True)
    api = batches.start(photo, None, "one", client="one")
    other = batches.start(photo, None, "two", client="two", viewed=True)
    made = [
        batches.start(photo, None, "one", client="one", viewed=True)
        for _ in range(MOST_BATCHES + 2)
    ]
    assert [batch for batch in made if batches.get(batch.key)] == made[3:]
    assert [batch.folder.exists() for batch in made] == [batch in made[3:] for batch in made]
    assert all(batches.get(batch.key) for batch in (working, api, other))
    working.abandon()


def test_other_servers_results_do_not_count(engine: LocalEngine, tmp_path: Path) -> None:
    other = tmp_path / "files" / "results-other"
    other.mkdir(parents=True)
    (other / "large.png").write_bytes(bytes(500_000))
    batches = BatchStore(engine, tmp_path / "files", Limits(max_disk_bytes=400_000))
    finished(batches, noise(tmp_path, "a"))
    assert (other / "large.png").exists()


def test_expired_batches_go_without_a_new_one(engine: LocalEngine, tmp_path: Path) -> None:
    batches = BatchStore(engine, tmp_path / "files", Limits(), keep_seconds=0.1)
    batch = finished(batches, noise(tmp_path, "a"))
    batches.sweep_every(0.05)
    for _ in range(1000):
        if not batch.folder.exists():
            break
        time.sleep(0.05)
    assert batches.get(batch.key) is None and not batch.folder.exists()
    batches.close()
    assert not list((tmp_path / "files").iterdir())


def test_uploads_that_no_batch_came_to_use_go(engine: LocalEngine, tmp_path: Path) -> None:
    root = tmp_path / "files"
    batches = BatchStore(engine, root, Limits(), keep_seconds=3600)
    old, new, sample = (root / (letter * 64) for letter in "abc")
    for folder in (old, new, sample):
        folder.mkdir()
        (folder / "a.jpg").write_bytes(b"a")
    part = root / "tmpabcdefgh"
    part.write_bytes(b"half")
    foreign = [root / "thesis.docx", root / "photos", root / "tmp"]
    for path in foreign:
        path.mkdir()
    for path in (old, sample, part, *foreign):
        os.utime(path, (1, 1))
    batches.kept_uploads = [sample]
    batches.sweep()
    assert {path for path in root.iterdir() if "results" not in path.name} == {
        new,
        sample,
        *foreign,
    }


def test_small_files_and_folders_count_as_what_they_take(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.jpg").write_bytes(b"a")
    os.sync()
    status = [path.stat() for path in tmp_path.rglob("*")]
    assert len(status) == 200
    used = sum(files_in(tmp_path).values())
    assert used >= sum(512 * one.st_blocks for one in status)
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(10**6))
    assert sum(files_in(tmp_path).values()) >= used + 10**6


def test_nothing_of_a_visitor_is_left_at_the_end(tmp_path: Path) -> None:
    """Not even when the page is still open somewhere."""
    photo = square(tmp_path / "photo.jpg", QUICK)
    with running(tmp_path) as server, httpx.Client(base_url=f"{server.url}/gradio_api") as client:
        with client.stream("GET", "/heartbeat/listener") as listening:
            next(listening.iter_raw())
            files = {"files": ("photo.jpg", photo.read_bytes())}
            (upload,) = client.post("/upload", files=files).json()
            assert Path(upload).exists()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(60) == 0
        assert not Path(upload).parent.exists()
        assert not list(server.files.glob("results-*"))
        assert not [path for path in server.files.glob("*/*") if path.name == photo.name]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_silent_page_loses_its_place() -> None:
    clock = Clock()
    turns = WaitingList(clock)
    for number in range(64):
        turns.join(f"silent{number}")
    clock.now += SILENT_SECONDS - 1
    assert turns.seen("silent7") and turns.waiting
    clock.now += 2
    assert not turns.seen("silent8")
    turns.join("late")
    assert turns.ahead("late") == ["silent7"]
    clock.now += SILENT_SECONDS + 1
    assert not turns.waiting and turns.ahead("late") is None


def test_who_has_had_a_turn_goes_to_the_end() -> None:
    turns = WaitingList()
    turns.join("a")
    with turns.turn("a"):
        for number in range(2, 6):
            turns.join(str(number))
        turns.join("a")
    assert turns.ahead("a") == ["2", "3", "4", "5"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes two photos at once, of up to 60 KB together."""
    with running(
        tmp_path_factory.mktemp("small"),
        ENHANCE_MAX_PHOTOS="2",
        ENHANCE_MAX_REQUEST_BYTES="60000",
        ENHANCE_MAX_BYTES="50000",
    ) as server:
        yield server


def test_the_page_says_the_limits_and_keeps_them(
    small: Server, browser: Browser, tmp_path: Path
) -> None:
    photos = copies(tmp_path, 3, square(tmp_path / "photo.jpg", QUICK))
    with browser.new_context(locale="en") as context:
        page = context.new_page()
        page.goto(small.url)
        expect(page.locator("#limits")).to_contain_text("Up to 2 photos, 0 MB and 64 megapixels")
        page.set_input_files("#files input[type=file]", [str(photo) for photo in photos])
        expect(page.locator(".toast-body")).to_contain_text(
            "You sent 3 photos; a batch may have at most 2"
        )
        drop(page, *photos[:2])
        page.click("#enhance")
        finish(page, 2)


def test_the_api_keeps_the_limits(small: Server, tmp_path: Path) -> None:
    photo = handle_file(square(tmp_path / "photo.jpg", QUICK))
    client = Client(small.url, verbose=False)
    with pytest.raises(Exception, match="You sent 3 photos; a batch may have at most 2"):
        client.predict([photo] * 3, restorer="none", api_name="/enhance_batch")
    assert client.predict(photo, restorer="none", api_name="/enhance")[1]["ok"]
