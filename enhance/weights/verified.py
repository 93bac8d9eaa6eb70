"""Weight files that lie on this machine, used only when their SHA-256 is the expected one."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import platformdirs

from enhance.files import sha256, write_bytes
from enhance.weights.files import WeightFile

log = logging.getLogger(__name__)


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
    paths = [weights_folder() / file.filename]
    if explicit is not None:
        paths.insert(0, explicit / file.filename if explicit.is_dir() else explicit)
    return next((path for path in paths if _is_verified(path, file)), None)


def remember(path: Path, file: WeightFile) -> None:
    """Record that this is the file, as long as nobody changes it."""
    record = _record(file)
    with suppress(OSError):  # a read-only folder costs a hash at each start, no more
        record.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(record, os.fsencode(_state(path, file)))


def _is_verified(path: Path, file: WeightFile) -> bool:
    try:
        state = _state(path, file)
        if _remembered(file) == os.fsencode(state):
            return True
        if path.stat().st_size != file.size or _sha256_of(path, state) != file.sha256:
            log.warning(
                "%s is not used: its size or SHA-256 is not that of %s", path, file.filename
            )
            return False
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("%s is not used: %s", path, error)
        return False
    remember(path, file)
    return True


def _state(path: Path, file: WeightFile) -> str:
    """What changes when the file does. A copy can keep the mtime, but not the ctime."""
    stat = path.stat()
    return f"{file.sha256} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {path.absolute()}\n"


def _record(file: WeightFile) -> Path:
    return weights_folder() / f"{file.filename}.verified"


def _remembered(file: WeightFile) -> bytes | None:
    with suppress(OSError):
        return _record(file).read_bytes()
    return None


@lru_cache(maxsize=64)
def _sha256_of(path: Path, state: str) -> str:
    """`sha256`, remembered until the file's state is another."""
    return sha256(path)
