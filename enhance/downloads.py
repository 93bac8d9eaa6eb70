"""Weight files of the catalogue: found on this machine and verified, or downloaded on request.

httpx carries the bytes: it comes with gradio and is typed. pooch cannot resume, huggingface_hub
knows only its own server, and urllib3's Retry does not cover a body that is cut off.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import httpx
import platformdirs
from filelock import FileLock, Timeout

from enhance.errors import WeightsInvalid, WeightsMissing
from enhance.files import sha256, write_bytes
from enhance.sentences import joined, say
from enhance.weights import WeightFile

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_PAUSES = (1.0, 2.0, 4.0)  # seconds between tries at one address
_GAIN = 1 << 20  # a try that brought so many bytes is no failure: slow lines must get there too
_TIMEOUT = httpx.Timeout(30, connect=10)
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be gone at the next try
_UNCONNECTED = (httpx.ConnectError, httpx.ConnectTimeout)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Interrupted(Exception):
    """The transfer stopped early; trying again may help."""


class _Refused(Exception):
    """This address does not give the file; the next one may."""


class _Wrong(_Refused):
    """This address gives another file."""


def weights_folder() -> Path:
    """Where downloads go: ENHANCE_WEIGHTS_DIR, or "weights" in the user's cache folder."""
    named = os.environ.get("ENHANCE_WEIGHTS_DIR")
    if named:
        return Path(named).expanduser().absolute()
    return platformdirs.user_cache_path("enhance", appauthor=False) / "weights"


def locate(file: WeightFile, explicit: Path | None = None) -> Path | None:
    """The file on this machine with size and SHA-256 verified, or None. Never downloads.

    explicit: a file, or a folder that has it, looked at before `weights_folder()`.

    A hash is computed once: a record in `weights_folder()` says which path, size and times of
    change were verified. Where that cannot be written, it is kept until the process ends.
    """
    places = [weights_folder() / file.filename]
    if explicit is not None:
        places.insert(0, explicit / file.filename if explicit.is_dir() else explicit)
    return next((path for path in places if _is_verified(path, file)), None)


def fetch(
    file: WeightFile, progress: Progress | None = None, *, pauses: Sequence[float] = _PAUSES
) -> Path:
    """The verified file, downloaded into `weights_folder()` unless it is there.

    progress: called with the bytes done and in all, while another process downloads the file too.
    What it raises ends the call; the bytes received stay for the next call to go on from.
    pauses: seconds between tries at one address.

    Raises WeightsMissing when no address could be reached or the file could not be saved,
    WeightsInvalid when an address gave another file and none the right one.
    """
    if found := locate(file):  # before anything is written: the folder may be read-only
        return found
    report = progress or (lambda _done, _all: None)
    target = weights_folder() / file.filename
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target, file, report):
            return locate(file) or _download(file, target, report, pauses)
    except OSError as error:
        raise WeightsMissing(
            say(
                "{file} could not be saved in {folder}: {reason}. It takes {megabytes:.0f} MB. "
                "ENHANCE_WEIGHTS_DIR can name another folder.",
                file=file.filename,
                folder=target.parent,
                reason=error.strerror or str(error),
                megabytes=file.size / 1e6,
            )
        ) from error


@contextmanager
def _alone(target: Path, file: WeightFile, report: Progress) -> Iterator[None]:
    """Keep other processes and threads from downloading the same file."""
    lock = FileLock(target.with_name(f"{target.name}.lock"))
    while True:
        try:
            lock.acquire(timeout=1)
            break
        except Timeout:
            report(min(_size(_part(target)), file.size), file.size)
    try:
        yield
    finally:
        lock.release()


def _download(file: WeightFile, target: Path, report: Progress, pauses: Sequence[float]) -> Path:
    part = _part(target)
    refusals: dict[str, _Refused] = {}
    with _client() as client:
        for address in file.addresses():
            log.info("downloading %s from %s", file.filename, address)
            try:
                _complete(client, address, file, part, report, pauses)
            except _Refused as refusal:
                log.warning("%s: %s", address, refusal)
                refusals[address] = refusal
            else:
                part.replace(target)
                _remember(file, _state(target, file))
                return target
    raise _failure(file, target, refusals)


def _failure(
    file: WeightFile, target: Path, refusals: dict[str, _Refused]
) -> WeightsInvalid | WeightsMissing:
    tried = joined(
        "; ",
        (
            say("{address} ({reason})", address=address, reason=_why(refusal))
            for address, refusal in refusals.items()
        ),
    )
    by_hand = say(
        "To place it by hand, save it as {path}: {size} bytes, SHA-256 {sha256}.",
        path=target,
        size=file.size,
        sha256=file.sha256,
    )
    if any(isinstance(refusal, _Wrong) for refusal in refusals.values()):
        return WeightsInvalid(
            say(
                "No address gave the right {file}, and a wrong one is not used. Tried: {tried}. "
                "{by_hand}",
                file=file.filename,
                tried=tried,
                by_hand=by_hand,
            )
        )
    return WeightsMissing(
        say(
            "{file} could not be downloaded. Tried: {tried}. {by_hand}",
            file=file.filename,
            tried=tried,
            by_hand=by_hand,
        )
    )


def _why(error: Exception) -> str:
    """What it says, as a Sentence if it has one; else its kind."""
    return next(
        (said for said in error.args if isinstance(said, str) and said), type(error).__name__
    )


def _client() -> httpx.Client:
    return httpx.Client(
        follow_redirects=True,
        timeout=_TIMEOUT,
        headers={"Accept-Encoding": "identity", "User-Agent": "enhance"},
        event_hooks={"request": [_require_https]},
    )


def _require_https(request: httpx.Request) -> None:
    """Called for each request, those of redirects included."""
    url = request.url
    if url.scheme != "https" and not (url.scheme == "http" and url.host in _LOOPBACK):
        raise _Refused(say("it leads to {url}, which is not a https address", url=str(url)))


def _complete(
    client: httpx.Client,
    address: str,
    file: WeightFile,
    part: Path,
    report: Progress,
    pauses: Sequence[float],
) -> None:
    """Bring `part` to the whole, verified file; goes on where it or an earlier call stopped.

    Raises _Refused when this address cannot do it.
    """
    inherited = _size(part) > 0
    waits = iter(pauses)
    while True:
        start = _size(part)
        try:
            _receive(client, address, file, part, report)
        except (httpx.TransportError, _Interrupted) as error:
            if _size(part) - start >= _GAIN:
                waits = iter(pauses)
            pause = next(waits, None)
            if pause is None:
                raise _Refused(_why(error)) from error
            if isinstance(error, _UNCONNECTED):
                waits = iter(())  # one more try, then a mirror: each may take long to fail
            time.sleep(pause)
            continue
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Refused(_why(error)) from error
        if _size(part) == file.size and sha256(part) == file.sha256:
            return
        part.unlink()
        if not inherited:
            raise _Wrong(say("its SHA-256 is another"))
        inherited = False  # the bytes found at the start may be at fault: once more without them


def _receive(
    client: httpx.Client, address: str, file: WeightFile, part: Path, report: Progress
) -> None:
    """Append to `part` what it lacks; never more than the file's size."""
    start = _size(part)
    if start >= file.size:
        return
    headers = {"Range": f"bytes={start}-"} if start else {}
    with client.stream("GET", address, headers=headers) as response:
        done = _offset(response, start, file.size)
        _require_space(part.parent, file.size - start)
        with part.open("ab" if done else "wb") as out:
            report(done, file.size)
            for chunk in response.iter_raw():
                done += len(chunk)
                if done > file.size:
                    break
                out.write(chunk)
                report(done, file.size)
            out.flush()
            os.fsync(out.fileno())
    if done > file.size:
        part.unlink()
        raise _Wrong(say("it has more than {size} bytes", size=file.size))
    if done < file.size:
        raise _Interrupted(
            say("the transfer ended after {done} of {size} bytes", done=done, size=file.size)
        )


def _offset(response: httpx.Response, start: int, size: int) -> int:
    """At which byte of the file the response's body begins.

    Raises _Interrupted or _Refused when the body is not the file of `size` bytes.
    """
    status = response.status_code
    if status in _PASSING:
        raise _Interrupted(say("status {status}", status=status))
    if status == 200:
        if response.headers.get("Content-Length", str(size)) != str(size):
            raise _Wrong(say("it does not have {size} bytes", size=size))
        return 0
    if status == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if span is None or int(span[1]) != start or int(span[2]) != size:
            raise _Wrong(say("it does not have {size} bytes", size=size))
        return start
    if status == 416:
        raise _Wrong(say("it has at most {start} of {size} bytes", start=start, size=size))
    raise _Refused(say("status {status}", status=status))


def _require_space(folder: Path, size: int) -> None:
    """Raises OSError now rather than once the disk has been filled to the brim."""
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _size(path: Path) -> int:
    """In bytes; 0 where there is no file."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_verified(path: Path, file: WeightFile) -> bool:
    try:
        state = _state(path, file)
        if path.stat().st_size != file.size:
            log.warning("%s is not used: it does not have %d bytes", path, file.size)
            return False
        if _remembers(file, state):
            return True
        if _sha256_of(path, state) != file.sha256:
            log.warning("%s is not used: its SHA-256 is not that of %s", path, file.filename)
            return False
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("%s is not used: %s", path, error)
        return False
    _remember(file, state)
    return True


def _state(path: Path, file: WeightFile) -> str:
    """What changes when the file does. A copy can keep the mtime, but not the ctime."""
    stat = path.stat()
    return f"{file.sha256} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {path.absolute()}\n"


def _record(file: WeightFile) -> Path:
    return weights_folder() / f"{file.filename}.verified"


def _remembers(file: WeightFile, state: str) -> bool:
    try:
        return _record(file).read_bytes() == os.fsencode(state)
    except OSError:
        return False


def _remember(file: WeightFile, state: str) -> None:
    record = _record(file)
    with suppress(OSError):  # a read-only folder costs a hash at each start, no more
        record.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(record, os.fsencode(state))


@lru_cache(maxsize=64)
def _sha256_of(path: Path, state: str) -> str:
    """`sha256`, remembered until the file's state is another."""
    return sha256(path)
