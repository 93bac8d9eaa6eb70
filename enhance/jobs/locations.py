"""Opens what the user wrote, a path or a URL: the photos there, or the folder for results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from enhance.files import real
from enhance.jobs.manifest import Manifest
from enhance.jobs.manifest_lines import PathOrUrl
from enhance.jobs.object_store import Store
from enhance.jobs.remote_manifest import Bucket
from enhance.jobs.sources import Photos, Shard, below, stored
from enhance.jobs.targets import Results
from enhance.limits import Limits


def find_folder(text: str) -> Path | Store:
    """A folder, local or in an object store. Raises ValueError with a sentence if it is neither."""
    if "://" not in text:
        return Path(text)
    protocol = text.partition("://")[0].rpartition("::")[2]
    try:
        files, root = url_to_fs(text)
    except ImportError as error:
        known = str(known_implementations.get(protocol, {}).get("class", ""))
        package = known.partition(".")[0]
        if package in ("", "fsspec"):
            raise ValueError(f"{text} cannot be opened: {error}.") from error
        raise ValueError(
            f"{protocol}:// needs a package that is not installed: pip install {package}."
        ) from error
    except Exception as error:  # each file system raises errors of its own
        raise ValueError(f"{text} cannot be opened: {error}.") from error
    return Path(root) if isinstance(files, LocalFileSystem) else Store(files, root)


def open_photos(
    source: Path | Store,
    results: Path | Store,
    shard: Shard,
    tick: Callable[[], object],
    limits: Limits,
) -> Photos:
    """A shard of the photos in a folder and its subfolders, except the folder of the results.

    tick: called for each photo found. Raises OSError if the folder cannot be read, ValueError with
    a sentence if the results would be mixed with the photos.
    """
    mixed = "OUT must not be SRC, nor a folder that SRC lies in: results are no photos to enhance."
    if isinstance(source, Path):
        skip = results if isinstance(results, Path) else None
        if skip and real(source).is_relative_to(real(skip)):
            raise ValueError(mixed)
        return below(source, shard, skip, tick)
    url = results.url if isinstance(results, Store) else ""
    if url and f"{source.url}/".startswith(f"{url}/"):
        raise ValueError(mixed)
    return stored(source, shard, url, tick, limits)


def open_results(folder: Path | Store) -> Results[PathOrUrl]:
    """Open the folder for results. Raises OSError."""
    return Manifest(folder) if isinstance(folder, Path) else Bucket(folder)
