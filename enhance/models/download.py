"""Downloads weight files: resumed if interrupted, from mirrors if need be, and verified.

Uses httpx. huggingface_hub would keep nothing of an interrupted download, could not resume it at
another address, and would write whatever a server sends without checking it first.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from filelock import FileLock

from enhance.errors import WeightsMissing
from enhance.files import sha256
from enhance.i18n import joined, say
from enhance.models.files import WeightFile, weights_folder

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_PAUSES = (1.0, 2.0, 4.0)  # seconds between attempts at one address
_TIMEOUT = httpx.Timeout(30, connect=10)
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses


class _Refused(Exception):
    """This address does not serve the file; the next one may."""


class _Interrupted(_Refused):
    """The transfer stopped early; trying again may help."""


_RETRIED = (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError, _Interrupted)


def fetch(
    file: WeightFile, progress: Progress | None = None, *, pauses: Sequence[float] = _PAUSES
) -> Path:
    """The path of the verified file, downloaded into `weights_folder()` if it is missing.

    While another process is downloading the file, this waits for it.

    progress: called with the bytes received and the total. If it raises, the download ends, and
        the next call resumes it.
    pauses: seconds between attempts at one address.

    Raises WeightsMissing if no address served the right file, or it could not be saved.
    """
    if found := file.locate():  # before anything is written: the folder may be read-only
        return found
    target = weights_folder() / file.filename
    report = progress or (lambda _done, _all: None)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            return file.locate() or _download(file, target, report, pauses)
    except OSError as error:
        raise WeightsMissing(
            "{file} could not be saved in {folder}: {reason}. It needs "
            "{megabytes:.0f} MB. Set ENHANCE_WEIGHTS_DIR to use another folder.",
            file=file.filename,
            folder=target.parent,
            reason=error.strerror or str(error),
            megabytes=file.size / 1e6,
        ) from error


def _download(file: WeightFile, target: Path, report: Progress, pauses: Sequence[float]) -> Path:
    """Try one address after another. Raises WeightsMissing or OSError."""
    part = target.with_name(f"{target.name}.part")
    tried = []
    headers = {"Accept-Encoding": "identity", "User-Agent": "enhance"}
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT, headers=headers) as client:
        for address in file.addresses():
            log.info("downloading %s from %s", file.filename, address)
            for pause in (*pauses, None):
                try:
                    _complete(part, file, client, address, report)
                except (httpx.HTTPError, httpx.InvalidURL, _Refused) as error:
                    if pause is not None and isinstance(error, _RETRIED):
                        time.sleep(pause)
                        continue
                    log.warning("%s: %s", address, error)
                    reason = next(filter(None, error.args), type(error).__name__)
                    tried.append(say("{address} ({reason})", address=address, reason=reason))
                    break
                part.replace(target)
                file.remember(target)
                return target
    raise WeightsMissing(
        "{file} could not be downloaded. Tried: {tried}. To install it by hand, save it as "
        "{path}: {size} bytes, SHA-256 {sha256}.",
        file=file.filename,
        tried=joined("; ", tried),
        path=target,
        size=file.size,
        sha256=file.sha256,
    )


def _complete(
    part: Path, file: WeightFile, client: httpx.Client, address: str, report: Progress
) -> None:
    """Append the missing bytes to `part`, never beyond the file's size, and verify the whole.

    Raises one of _RETRIED if another attempt may help, _Refused or another error of httpx if not.
    """
    start = done = part.stat().st_size if part.exists() else 0
    if start < file.size:
        headers = {"Range": f"bytes={start}-"} if start else {}
        with client.stream("GET", address, headers=headers) as response:
            status = response.status_code
            if status not in (200, 206):
                error = _Interrupted if status in _TEMPORARY else _Refused
                raise error(say("status {status}", status=status))
            done = start if status == 206 else 0
            rest = str(file.size - done)
            if response.headers.get("Content-Length", rest) != rest:
                raise _Refused(say("its size is not {size} bytes", size=file.size))
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
    if done < file.size:
        raise _Interrupted(
            say("the transfer ended after {done} of {size} bytes", done=done, size=file.size)
        )
    if done > file.size or sha256(part) != file.sha256:
        part.unlink()
        # Whatever was in `part` before may be to blame.
        raise (_Interrupted if start else _Refused)(say("its SHA-256 does not match"))
