"""Weight files against a real HTTP server that fails in every way that servers do."""

import hashlib
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from enhance import files
from enhance.errors import Cancelled, WeightsInvalid, WeightsMissing
from enhance.models import files as weights
from enhance.models.checkpoints import load_checkpoint
from enhance.models.download import fetch
from enhance.models.files import WeightFile

DATA = random.Random(0).randbytes(300_000)
HALF = len(DATA) // 2
NAME = "net.pth"
OFFICIAL, MIRROR = f"/official/{NAME}", f"/mirror/{NAME}"
NO_WAIT = (0.0, 0.0, 0.0)


class Request(NamedTuple):
    path: str
    range: str | None


class Server(ThreadingHTTPServer):
    """Serves `files` by path. Each request takes the next of `faults`, if any is left:

    a status · "cut" after half of the body · "hold" there until `go` · "no length" ·
    "no range" honored · "misplaced": the whole where the rest was asked for
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.faults: deque[int | str] = deque()
        self.requests: list[Request] = []
        self.go = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that hang up early are part of the tests

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, span = self.server, self.headers["Range"]
        server.requests.append(Request(self.path, span))
        fault = server.faults.popleft() if server.faults else None
        if self.path in server.moved:
            self._head(302, Location=server.moved[self.path])
        elif isinstance(fault, int):
            self._head(fault)
        elif self.path not in server.files:
            self._head(404)
        else:
            self._send(server.files[self.path], None if fault == "no range" else span, fault)

    def _send(self, data: bytes, span: str | None, fault: str | None) -> None:
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        if fault == "misplaced":
            start = 0
        body = data[start:]
        headers = {} if fault == "no length" else {"Content-Length": str(len(body))}
        if span and not body:
            self._head(416)
            return
        if span:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._head(206 if span else 200, **headers)
        self.wfile.write(body[: len(body) // 2])
        if fault == "hold":
            self.wfile.flush()
            self.server.go.wait(60)
        if fault != "cut":
            self.wfile.write(body[len(body) // 2 :])

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.go.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no proxy between these tests and their server."""
    monkeypatch.setenv("ENHANCE_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "weights"


@pytest.fixture
def file(server: Server) -> WeightFile:
    """At /official and /mirror of the server; only the first is there."""
    server.files[OFFICIAL] = DATA
    folders = (f"{server.url}/official", f"{server.url}/mirror")
    return WeightFile(NAME, folders, len(DATA), hashlib.sha256(DATA).hexdigest())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# Downloads that succeed


def test_downloads_and_reports_progress(server: Server, file: WeightFile, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(file, lambda done, size: seen.append((done, size)))
    assert path == folder / NAME
    assert path.read_bytes() == DATA
    assert seen[0] == (0, len(DATA)) and seen[-1] == (len(DATA), len(DATA))
    assert seen == sorted(seen)
    assert f"{NAME}.part" not in names(folder)
    assert server.requests == [(OFFICIAL, None)]


def test_downloads_once(server: Server, file: WeightFile) -> None:
    assert fetch(file) == fetch(file) == file.locate()
    assert len(server.requests) == 1


def test_what_is_there_needs_no_lock(file: WeightFile, folder: Path) -> None:
    (folder / f"{NAME}.lock").mkdir(parents=True)  # as good as a read-only folder
    with pytest.raises(WeightsMissing, match="could not be saved"):
        fetch(file)
    (folder / NAME).write_bytes(DATA)
    assert fetch(file) == folder / NAME


def test_resumes_after_a_cut(server: Server, file: WeightFile) -> None:
    server.faults.extend(["cut"])
    assert fetch(file, pauses=NO_WAIT).read_bytes() == DATA
    assert server.requests == [(OFFICIAL, None), (OFFICIAL, f"bytes={HALF}-")]


def test_resumes_in_a_later_call(server: Server, file: WeightFile, folder: Path) -> None:
    server.faults.extend(["cut", 404])
    with pytest.raises(WeightsMissing):
        fetch(replace(file, folders=file.folders[:1]), pauses=NO_WAIT)
    assert (folder / f"{NAME}.part").read_bytes() == DATA[:HALF]
    assert fetch(file).read_bytes() == DATA
    assert server.requests[-1].range == f"bytes={HALF}-"


def test_resumes_after_the_caller_stopped_it(server: Server, file: WeightFile) -> None:
    def stop(done: int, _size: int) -> None:
        if done >= HALF:
            raise Cancelled

    with pytest.raises(Cancelled):
        fetch(file, stop)
    assert file.locate() is None
    assert fetch(file).read_bytes() == DATA
    assert server.requests[1].range is not None


def test_resumes_at_a_mirror(server: Server, file: WeightFile) -> None:
    server.files[MIRROR] = DATA
    server.faults.extend(["cut", 404])
    assert fetch(file, pauses=NO_WAIT).read_bytes() == DATA
    assert server.requests[-1] == (MIRROR, f"bytes={HALF}-")


def test_misplaced_rest_is_not_used(server: Server, file: WeightFile) -> None:
    server.files[MIRROR] = DATA
    server.faults.extend(["cut", "misplaced"])
    assert fetch(file, pauses=NO_WAIT).read_bytes() == DATA
    assert server.requests[-1] == (MIRROR, f"bytes={HALF}-")


def test_starts_over_where_ranges_are_not_served(server: Server, file: WeightFile) -> None:
    server.faults.extend(["cut", "no range"])
    assert fetch(file, pauses=NO_WAIT).read_bytes() == DATA


def test_needs_no_length(server: Server, file: WeightFile) -> None:
    server.faults.extend(["no length"])
    assert fetch(file).read_bytes() == DATA


@pytest.mark.parametrize("left", [DATA[:5] + b"?" * 1000, b"?" * len(DATA), b"?" * 400_000])
def test_foreign_beginning_is_dropped(left: bytes, file: WeightFile, folder: Path) -> None:
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(left)
    assert fetch(file, pauses=NO_WAIT).read_bytes() == DATA


def test_complete_beginning_needs_no_request(
    server: Server, file: WeightFile, folder: Path
) -> None:
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(DATA)
    assert fetch(file).read_bytes() == DATA
    assert server.requests == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retries(status: int, server: Server, file: WeightFile) -> None:
    server.faults.extend([status] * len(NO_WAIT))
    assert fetch(file, pauses=NO_WAIT).read_bytes() == DATA
    assert [r.path for r in server.requests] == [OFFICIAL] * (1 + len(NO_WAIT))


@pytest.mark.parametrize("faults", [[403], [404], [503] * 4])
def test_falls_over_to_a_mirror(faults: list[int], server: Server, file: WeightFile) -> None:
    server.files[MIRROR] = DATA
    server.faults.extend(faults)
    assert fetch(file, pauses=NO_WAIT).read_bytes() == DATA
    assert server.requests[-1].path == MIRROR


@pytest.mark.parametrize("wrong", [b"?" * len(DATA), DATA[:-1], DATA + b"?", b"<html>"])
def test_falls_over_from_a_wrong_file(wrong: bytes, server: Server, file: WeightFile) -> None:
    server.files |= {OFFICIAL: wrong, MIRROR: DATA}
    assert fetch(file, pauses=NO_WAIT).read_bytes() == DATA


def test_falls_over_from_nobody_there(server: Server, file: WeightFile) -> None:
    with Server() as closed:
        nobody = f"{closed.url}/official"
    assert (
        fetch(replace(file, folders=(nobody, file.folders[0])), pauses=NO_WAIT).read_bytes() == DATA
    )


def test_follows_redirects(server: Server, file: WeightFile) -> None:
    server.moved[f"/old/{NAME}"] = OFFICIAL
    assert fetch(replace(file, folders=(f"{server.url}/old",))).read_bytes() == DATA


def test_hf_endpoint(server: Server, file: WeightFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
    server.files = {"/datasets/who/nets/resolve/main/a/net.pth": DATA}
    fetch(replace(file, folders=("hf://who/nets/a", "hf://datasets/who/nets/a")))
    assert [r.path for r in server.requests] == [
        "/who/nets/resolve/main/a/net.pth",
        "/datasets/who/nets/resolve/main/a/net.pth",
    ]


def test_two_processes_download_once(server: Server, file: WeightFile) -> None:
    server.faults.extend(["hold"])
    script = (
        "from enhance.models.catalogue import WeightFile\n"
        "from enhance.models.download import fetch\n"
        "print('ready', flush=True)\n"
        f"fetch({file!r})\n"
    )
    command = [sys.executable, "-c", script]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in pair:
        assert process.stdout
        assert process.stdout.readline()
    while not server.requests:  # one of them is in the midst of it
        time.sleep(0.05)
    server.go.set()
    for process in pair:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(server.requests) == 1
    assert file.locate()


# Downloads that fail


@pytest.mark.parametrize("length", ["with length", "no length"])
@pytest.mark.parametrize("wrong", [b"?" * len(DATA), DATA[:-1], DATA + b"?" * 100_000])
def test_wrong_file_is_refused(
    wrong: bytes, length: str, server: Server, file: WeightFile, folder: Path
) -> None:
    server.files |= {OFFICIAL: wrong, MIRROR: wrong}
    server.faults.extend([length] * 2)
    with pytest.raises(WeightsMissing, match=r"net\.pth could not be downloaded") as caught:
        fetch(file, pauses=())
    assert all(url in str(caught.value) for url in file.addresses())
    assert not (folder / NAME).exists()
    assert file.locate() is None


def test_never_writes_more_than_the_size(
    server: Server, file: WeightFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files[OFFICIAL] = DATA * 20
    server.faults.extend(["no length"])
    seen: list[int] = []
    with pytest.raises(WeightsMissing):
        fetch(file, lambda done, _: seen.append(done), pauses=NO_WAIT)
    assert max(seen) <= len(DATA)


def test_missing_says_what_was_tried_and_what_to_do(file: WeightFile, folder: Path) -> None:
    file = replace(file, folders=(f"{file.folders[0]}/not", file.folders[1]))
    with pytest.raises(WeightsMissing) as caught:
        fetch(file, pauses=NO_WAIT)
    said = str(caught.value)
    official, mirror = file.addresses()
    assert said == (
        f"net.pth could not be downloaded. Tried: {official} (status 404); "
        f"{mirror} (status 404). To install it by hand, save it as {folder / NAME}: "
        f"300000 bytes, SHA-256 {file.sha256}."
    )


def test_nobody_there_is_not_tried_again(file: WeightFile, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("enhance.models.download.time.sleep", pauses.append)
    with Server() as closed:
        nobody = closed.url
    with pytest.raises(WeightsMissing, match="could not be downloaded"):
        fetch(replace(file, folders=(nobody,)))
    assert pauses == []


@pytest.mark.parametrize(
    "endpoint", ["no-scheme", "ftp://127.0.0.1", "http://example.invalid", "https://[", "a b"]
)
def test_bad_endpoint(endpoint: str, file: WeightFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(WeightsMissing, match="could not be downloaded"):
        fetch(replace(file, folders=("hf://who/nets",)), pauses=())


def test_endless_redirects(server: Server, file: WeightFile) -> None:
    server.moved |= {OFFICIAL: MIRROR, MIRROR: OFFICIAL}
    with pytest.raises(WeightsMissing, match="redirects"):
        fetch(file)


def test_folder_is_a_file(file: WeightFile, folder: Path) -> None:
    folder.write_bytes(b"")
    with pytest.raises(WeightsMissing, match=r"could not be saved in .*ENHANCE_WEIGHTS_DIR"):
        fetch(file)


def test_disk_full(file: WeightFile, folder: Path) -> None:
    folder.mkdir()
    (folder / f"{NAME}.part").symlink_to("/dev/full")
    with pytest.raises(WeightsMissing, match="No space left"):
        fetch(file)


# Files that are there


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose hash is computed from now on."""
    found: list[Path] = []
    compute = files.sha256

    def spy(path: Path) -> str:
        found.append(path)
        return compute(path)

    monkeypatch.setattr(weights, "sha256", spy)
    return found


def test_locate_never_downloads(server: Server, file: WeightFile) -> None:
    assert file.locate() is None
    assert server.requests == []


def test_locate_finds_what_was_placed_by_hand(file: WeightFile, folder: Path) -> None:
    folder.mkdir()
    (folder / NAME).write_bytes(DATA)
    assert file.locate() == folder / NAME


@pytest.mark.parametrize("wrong", [b"", DATA[:-1], b"?" + DATA[1:]])
def test_locate_refuses_another_file(
    wrong: bytes, server: Server, file: WeightFile, folder: Path
) -> None:
    folder.mkdir()
    (folder / NAME).write_bytes(wrong)
    assert file.locate() is None
    assert fetch(file).read_bytes() == DATA


def test_locate_prefers_the_explicit_path(file: WeightFile, tmp_path: Path) -> None:
    fetched = fetch(file)
    mine = tmp_path / "mine.pth"
    mine.write_bytes(DATA)
    (tmp_path / NAME).write_bytes(DATA)
    assert file.locate(mine) == mine
    assert file.locate(tmp_path) == tmp_path / NAME
    assert file.locate(tmp_path / "absent") == fetched
    mine.write_bytes(b"?")
    assert file.locate(mine) == fetched


def test_hash_is_computed_once(file: WeightFile, tmp_path: Path, hashed: list[Path]) -> None:
    mine = tmp_path / "mine.pth"
    mine.write_bytes(DATA)
    for _ in range(3):
        weights._sha256_of.cache_clear()  # as a new process would find it
        assert file.locate(mine)
    assert hashed == [mine]


def test_hash_is_computed_once_where_no_record_can_be_kept(
    file: WeightFile, tmp_path: Path, folder: Path, hashed: list[Path]
) -> None:
    folder.write_bytes(b"")
    mine = tmp_path / "mine.pth"
    mine.write_bytes(DATA)
    assert file.locate(mine) == file.locate(mine) == mine
    assert hashed == [mine]


def test_change_that_keeps_size_and_mtime_is_noticed(file: WeightFile, hashed: list[Path]) -> None:
    path = fetch(file)
    del hashed[:]
    assert file.locate() and not hashed
    stat = path.stat()
    path.write_bytes(b"?" + DATA[1:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    if os.name == "posix":  # elsewhere ctime is the time of creation
        assert file.locate() is None


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ENHANCE_WEIGHTS_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    weights.usual_folder.cache_clear()
    found = weights.weights_folder()
    weights.usual_folder.cache_clear()
    assert found.name == "weights" and found.is_absolute()
    if sys.platform == "linux":
        assert found == tmp_path / "enhance" / "weights"


# Checkpoints


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def save_zip(content: object, path: Path) -> None:
    torch.save(content, path)


def save_legacy(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


Save = Callable[[object, Path], None]
WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


@pytest.mark.parametrize("save", [save_zip, save_legacy])
@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"params": WEIGHTS},
        {"params_ema": WEIGHTS, "params": {"b": torch.zeros(1)}},
        {f"module.{name}": value for name, value in WEIGHTS.items()},
    ],
    ids=["plain", "params", "params_ema", "module"],
)
def test_checkpoint(content: object, save: Save, tmp_path: Path) -> None:
    save(content, tmp_path / NAME)
    found = load_checkpoint(tmp_path / NAME)
    assert list(found) == list(WEIGHTS)
    assert all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("save", [save_zip, save_legacy, save_pickle])
def test_code_in_a_checkpoint_is_not_run(save: Save, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    save({"params": Touch(trace)}, tmp_path / NAME)
    pickle.loads(pickle.dumps(Touch(tmp_path / "works")))
    assert (tmp_path / "works").exists()
    with pytest.raises(WeightsInvalid, match="contains code"):
        load_checkpoint(tmp_path / NAME)
    assert not trace.exists()


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"PK\x03\x04", b"<html>", DATA[:1000]])
def test_foreign_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(data)
    with pytest.raises(WeightsInvalid, match="is not a weight file"):
        load_checkpoint(tmp_path / NAME)


def test_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    save_zip({"a": torch.zeros(10_000)}, tmp_path / NAME)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsInvalid):
        load_checkpoint(tmp_path / NAME)


@pytest.mark.parametrize("content", [{}, [1], torch.zeros(1), {"epoch": 3}, {"params": 1}])
def test_checkpoint_without_weights_is_refused(content: object, tmp_path: Path) -> None:
    save_zip(content, tmp_path / NAME)
    with pytest.raises(WeightsInvalid, match="contains no weights"):
        load_checkpoint(tmp_path / NAME)


@pytest.mark.parametrize("content", [{1: torch.ones(1)}, {"params": {1: torch.ones(1)}}])
def test_checkpoint_whose_weights_have_no_names_is_refused(content: object, tmp_path: Path) -> None:
    save_zip(content, tmp_path / NAME)
    with pytest.raises(WeightsInvalid, match="is not a weight file"):
        load_checkpoint(tmp_path / NAME)


@pytest.mark.parametrize("path", ["absent", "."])
def test_unreadable_checkpoint(path: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="could not be read"):
        load_checkpoint(tmp_path / path)
