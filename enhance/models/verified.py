"""Finds weight files on this machine; only those with the expected SHA-256 are used."""

import logging
import os
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

import platformdirs

from enhance.files import sha256, write_bytes
from enhance.models.files import WeightFile

log = logging.getLogger(__name__)


def weights_folder() -> Path:
    """The folder for downloads: ENHANCE_WEIGHTS_DIR, or "weights" in the user's cache folder."""
    named = os.environ.get("ENHANCE_WEIGHTS_DIR")
    return Path(named).expanduser().absolute() if named else usual_folder()


@cache
def usual_folder() -> Path:
    """The folder for downloads if no other is named."""
    return platformdirs.user_cache_path("enhance", appauthor=False) / "weights"


def locate(file: WeightFile, explicit: Path | None = None) -> Path | None:
    """The path of the file on this machine, size and SHA-256 verified, or None. Never downloads.

    explicit: a file, or a folder with the file, which is tried before `weights_folder()`.

    A hash is computed only once: a record in `weights_folder()` says which path, size and
    modification times were verified. If that folder is not writable, the hash is remembered until
    the process ends.
    """
    paths = [weights_folder() / file.filename]
    if explicit is not None:
        paths.insert(0, explicit / file.filename if explicit.is_dir() else explicit)
    return next((path for path in paths if _is_verified(path, file)), None)


def remember(path: Path, file: WeightFile) -> None:
    """Record that this path holds the right file, valid until the file changes."""
    record = _record(file)
    with suppress(OSError):  # in a read-only folder the only cost is a hash at each start
        record.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(record, _state(path, file))


def _is_verified(path: Path, file: WeightFile) -> bool:
    try:
        state = _state(path, file)
        with suppress(OSError):
            if _record(file).read_bytes() == state:
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


def _state(path: Path, file: WeightFile) -> bytes:
    """What changes when the file does. A copy can keep the mtime, but not the ctime."""
    stat = path.stat()
    times = f"{stat.st_mtime_ns} {stat.st_ctime_ns}"
    return os.fsencode(f"{file.sha256} {stat.st_size} {times} {path.absolute()}\n")


def _record(file: WeightFile) -> Path:
    return weights_folder() / f"{file.filename}.verified"


@lru_cache(maxsize=64)
def _sha256_of(path: Path, state: bytes) -> str:
    """`sha256`, cached until the file's state changes."""
    return sha256(path)
