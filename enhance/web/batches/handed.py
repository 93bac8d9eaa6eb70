"""Photos that another program, such as a file manager, has handed to the server for its page to
show. A folder among the uploads has them, whose unguessable name is the key to them."""

import re
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from enhance.names import output_stem
from enhance.photos import EXTENSIONS

_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)  # like the name of any upload's folder


def keep(uploads: Path, photos: Iterable[tuple[str, BinaryIO]]) -> Path:
    """Write photos, each a name and what it holds, into a new folder for `photos_of`; returns it.

    uploads: the folder of all uploads. Raises OSError, after which nothing is left.
    """
    folder = uploads / secrets.token_hex(32)
    folder.mkdir(mode=0o700)
    try:
        for number, (name, content) in enumerate(photos):
            extension = PureWindowsPath(name).suffix.lower()
            known = extension if extension in EXTENSIONS else ""
            # Each in a folder of its own, because several may have the same name.
            path = folder / f"{number:06}" / f"{output_stem(name)}{known}"
            path.parent.mkdir()
            with content, path.open("wb") as file:
                shutil.copyfileobj(content, file)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def photos_of(uploads: Path, key: object) -> list[Path]:
    """The photos that were kept under this key, in their order; none if they have expired.

    key: unchecked, as a browser sent it. Other uploads have no folders in them.
    """
    if not (isinstance(key, str) and _KEY.fullmatch(key)):
        return []
    return sorted((uploads / key).glob("*/*"))
