"""Folders of this machine, and which kind of folder a path or URL means."""

import logging
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from enhance.files import create, real, sha256
from enhance.jobs.folder import Entry, Folder

log = logging.getLogger(__name__)


class LocalFolder(Folder):
    """A folder of this machine. partial: what a file is called while it is written; whoever writes
    holds a lock that goes with this name."""

    def __init__(self, here: Path) -> None:
        super().__init__(LocalFileSystem(), str(here))
        self.here = here
        self.url = str(here.absolute())
        self.partial = ".part"

    def place(self, name: str) -> str:
        return str(self.here / name)

    def _place(self) -> PurePath:
        return real(self.here)

    def list(self, folder: str) -> Iterator[Entry]:
        """One by one, as fsspec does not, and with exact times. Links to folders are not followed,
        so there are no loops."""
        with os.scandir(Path(self.url, folder)) as found:
            for one in found:
                name = f"{folder}/{one.name}" if folder else one.name
                try:
                    if one.is_dir(follow_symlinks=False):
                        yield Entry(one.path, name, kind="folder")
                    elif one.is_dir():
                        log.info("%r is a link to a folder and is not followed", name)
                        yield Entry(one.path, name, kind="linked folder")
                    else:
                        yield local_entry(name, Path(one.path), one.is_symlink())
                except OSError:  # a link to itself
                    yield Entry(one.path, name, is_link=True)

    def size(self, name: str) -> int | None:
        try:
            return (self.here / name).stat().st_size
        except OSError:
            return None

    def exists(self, name: str) -> bool:
        return os.path.lexists(self.here / name)

    def digest(self, name: str, sizes: Collection[int], source: str) -> str | None:
        path = self.here / name
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size not in sizes:
            return None
        if Path(source).exists() and path.samefile(source):
            return None
        return sha256(path)

    def prepare(self, name: str) -> None:
        folder = (self.here / name).parent
        if not real(folder).is_relative_to(real(self.here)):
            raise OSError(f"{folder} is reached by a link that leads out of {self.here}")
        folder.mkdir(parents=True, exist_ok=True)

    def create(self, name: str, data: bytes) -> None:
        with self._written(name, data) as partial:
            create(self.here / name, partial)

    def write(self, name: str, data: bytes) -> None:
        with self._written(name, data) as partial:
            partial.replace(self.here / name)

    @contextmanager
    def _written(self, name: str, data: bytes) -> Iterator[Path]:
        """A new file beside that of this name with these contents; it must be renamed in the block.
        Call it with the lock held: what is there already is what a killed run left."""
        partial = (self.here / name).with_name(self.partial)
        partial.unlink(missing_ok=True)
        try:
            with partial.open("xb") as file:
                file.write(data)
            yield partial
        finally:
            partial.unlink(missing_ok=True)


def find_folder(text: str) -> Folder:
    """The folder that the user means by a path or URL. Raises ValueError with a sentence if it is
    none that can be opened."""
    if "://" not in text:
        return LocalFolder(Path(text))
    try:
        files, root = url_to_fs(text)
    except Exception as error:  # of all kinds; fsspec's says which package must be installed
        raise ValueError(f"{text} cannot be opened: {error}.") from error
    return LocalFolder(Path(root)) if isinstance(files, LocalFileSystem) else Folder(files, root)


def local_entry(name: str, path: Path, is_link: bool) -> Entry:
    """A local file with its size and version, if it exists. path: absolute."""
    try:
        status = path.stat()
    except OSError:  # reading it will say why
        return Entry(str(path), name, is_link=is_link)
    return Entry(str(path), name, status.st_size, str(status.st_mtime_ns), is_link)
