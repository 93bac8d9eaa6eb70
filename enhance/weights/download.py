"""Downloads weight files on request: resumed if interrupted, from mirrors if need be, and verified.

Uses httpx. huggingface_hub would keep nothing of an interrupted download, could not resume it at
another address, and would write whatever a server sends without checking it first.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from enhance.errors import WeightsInvalid, WeightsMissing
from enhance.files import sha256
from enhance.i18n import joined, say
from enhance.weights.files import WeightFile
from enhance.weights.verified import locate, remember, weights_folder

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_PAUSES = (1.0, 2.0, 4.0)  # seconds between attempts at one address
_GAIN = 1 << 20  # an attempt that gained this many bytes is no failure, so slow lines succeed too
_TIMEOUT = httpx.Timeout(30, connect=10)
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be temporary
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Interrupted(Exception):
    """The transfer stopped early; trying again may help."""


class _Refused(Exception):
    """This address does not serve the file; the next one may."""


class _Wrong(_Refused):
    """This address serves a different file."""


def fetch(
    file: WeightFile, progress: Progress | None = None, *, pauses: Sequence[float] = _PAUSES
) -> Path:
    """The path of the verified file, downloaded into `weights_folder()` if it is missing.

    progress: called with the bytes received and the total, also while another process is
        downloading the file. If it raises, the download ends, and the next call resumes it.
    pauses: seconds between attempts at one address.

    Raises WeightsMissing if no address could be reached or the file could not be saved,
    WeightsInvalid if an address served a different file and none served the right one.
    """
    if found := locate(file):  # before anything is written: the folder may be read-only
        return found
    target = weights_folder() / file.filename
    download = _Download(file, target, progress or (lambda _done, _all: None), pauses)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with download.alone():
            return locate(file) or download.run()
    except OSError as error:
        raise WeightsMissing(
            say(
                "{file} could not be saved in {folder}: {reason}. It needs "
                "{megabytes:.0f} MB. Set ENHANCE_WEIGHTS_DIR to use another folder.",
                file=file.filename,
                folder=target.parent,
                reason=error.strerror or str(error),
                megabytes=file.size / 1e6,
            )
        ) from error


@dataclass(frozen=True)
class _Download:
    file: WeightFile
    target: Path
    report: Progress
    pauses: Sequence[float]

    @property
    def part(self) -> Path:
        """The bytes received so far, by any process and from any address."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def received(self) -> int:
        """The size of `part`, in bytes."""
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes and threads from downloading the file at the same time."""
        lock = FileLock(self.target.with_name(f"{self.target.name}.lock"))
        while True:
            try:
                lock.acquire(timeout=1)
                break
            except Timeout:
                self.report(min(self.received, self.file.size), self.file.size)
        try:
            yield
        finally:
            lock.release()

    def run(self) -> Path:
        """Try one address after another. Raises WeightsMissing, WeightsInvalid or OSError."""
        refusals: dict[str, _Refused] = {}
        with httpx.Client(
            follow_redirects=True,
            timeout=_TIMEOUT,
            headers={"Accept-Encoding": "identity", "User-Agent": "enhance"},
            event_hooks={"request": [_require_https]},
        ) as client:
            for address in self.file.addresses():
                log.info("downloading %s from %s", self.file.filename, address)
                try:
                    self._complete(client, address)
                except _Refused as refusal:
                    log.warning("%s: %s", address, refusal)
                    refusals[address] = refusal
                else:
                    self.part.replace(self.target)
                    remember(self.target, self.file)
                    return self.target
        raise self._failure(refusals)

    def _complete(self, client: httpx.Client, address: str) -> None:
        """Complete and verify `part`, resuming where this or an earlier call stopped.

        Raises _Refused if that fails with this address.
        """
        inherited = self.received > 0
        waits = iter(self.pauses)
        while True:
            start = self.received
            try:
                self._receive(client, address)
            except (httpx.TransportError, _Interrupted) as error:
                if self.received - start >= _GAIN:
                    waits = iter(self.pauses)
                pause = next(waits, None)
                if pause is None:
                    raise _Refused(_why(error)) from error
                if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    waits = iter(())  # one more attempt, then a mirror, as each may take long
                time.sleep(pause)
                continue
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _Refused(_why(error)) from error
            if self.received == self.file.size and sha256(self.part) == self.file.sha256:
                return
            self.part.unlink()
            if not inherited:
                raise _Wrong(say("its SHA-256 does not match"))
            inherited = False  # the bytes of an earlier call may be wrong: start afresh once

    def _receive(self, client: httpx.Client, address: str) -> None:
        """Append the missing bytes to `part`, never beyond the file's size."""
        start, size = self.received, self.file.size
        if start >= size:
            return
        headers = {"Range": f"bytes={start}-"} if start else {}
        with client.stream("GET", address, headers=headers) as response:
            done = _offset(response, start, size)
            if shutil.disk_usage(self.part.parent).free < size - start:  # rather than fill the disk
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with self.part.open("ab" if done else "wb") as out:
                self.report(done, size)
                for chunk in response.iter_raw():
                    done += len(chunk)
                    if done > size:
                        break
                    out.write(chunk)
                    self.report(done, size)
                out.flush()
                os.fsync(out.fileno())
        if done > size:
            self.part.unlink()
            raise _Wrong(say("it has more than {size} bytes", size=size))
        if done < size:
            raise _Interrupted(
                say("the transfer ended after {done} of {size} bytes", done=done, size=size)
            )

    def _failure(self, refusals: dict[str, _Refused]) -> WeightsInvalid | WeightsMissing:
        by_hand = say(
            "To install it by hand, save it as {path}: {size} bytes, SHA-256 {sha256}.",
            path=self.target,
            size=self.file.size,
            sha256=self.file.sha256,
        )
        tried = [
            say("{address} ({reason})", address=address, reason=_why(refusal))
            for address, refusal in refusals.items()
        ]
        values = {"file": self.file.filename, "tried": joined("; ", tried), "by_hand": by_hand}
        if any(isinstance(refusal, _Wrong) for refusal in refusals.values()):
            return WeightsInvalid(
                say(
                    "No address provided the correct {file}, and an incorrect file "
                    "is never used. Tried: {tried}. {by_hand}",
                    **values,
                )
            )
        return WeightsMissing(
            say("{file} could not be downloaded. Tried: {tried}. {by_hand}", **values)
        )


def _why(error: Exception) -> str:
    """The error's message, a Sentence if it has one; otherwise the name of its class."""
    return next(
        (said for said in error.args if isinstance(said, str) and said), type(error).__name__
    )


def _require_https(request: httpx.Request) -> None:
    """Called for every request, including redirects."""
    url = request.url
    if url.scheme != "https" and not (url.scheme == "http" and url.host in _LOOPBACK):
        raise _Refused(say("it leads to {url}, which is not an https address", url=str(url)))


def _offset(response: httpx.Response, start: int, size: int) -> int:
    """The offset in the file at which the response's body begins.

    Raises _Interrupted or _Refused if the body is not from the file of `size` bytes.
    """
    status, headers = response.status_code, response.headers
    if status in _PASSING:
        raise _Interrupted(say("status {status}", status=status))
    if status == 416:
        raise _Wrong(say("it has no more than {start} of {size} bytes", start=start, size=size))
    if status not in (200, 206):
        raise _Refused(say("status {status}", status=status))
    span = headers.get("Content-Range", "")
    if status == 206 and span.startswith(f"bytes {start}-") and span.endswith(f"/{size}"):
        return start
    if status == 200 and headers.get("Content-Length", str(size)) == str(size):
        return 0
    raise _Wrong(say("its size is not {size} bytes", size=size))
