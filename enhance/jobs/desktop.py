"""The entry in the menus of Linux's file managers that opens photos in the page."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs
from PIL import Image

from enhance.photos.formats import EXTENSIONS

NAME = "enhance.desktop"

_HOME = Path(__file__).parents[2]  # where `python -m enhance` finds this package


def entry() -> Path:
    """Where the entry is, or would be: below $XDG_DATA_HOME."""
    return platformdirs.user_data_path() / "applications" / NAME


def install() -> Path:
    """Write the entry, or write it anew; returns where it is. Raises OSError."""
    path = entry()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_text(), "utf-8")
    _refresh(path.parent)
    return path


def uninstall() -> None:
    """Remove the entry, if there is one. Raises OSError."""
    path = entry()
    path.unlink(missing_ok=True)
    _refresh(path.parent)


def _text() -> str:
    kinds = {Image.registered_extensions().get(extension) for extension in EXTENSIONS}
    types = sorted({Image.MIME[kind] for kind in kinds if kind} | {"image/heic"})
    icon = _HOME / "assets" / "icon.png"
    # An argument in Exec is quoted.
    python = re.sub(r'(["`$\\])', r"\\\1", sys.executable).replace("%", "%%")
    lines = {
        "Type": "Application",
        "Name": "Photo enhancer",
        "Name[zh_CN]": "照片增强",
        "Comment": "Restore faces and enlarge photos",
        "Comment[zh_CN]": "修复人脸并放大照片",
        "Exec": f'"{python}" -m enhance open %F',
        "Path": str(_HOME),
        "Icon": str(icon) if icon.exists() else "image-x-generic",
        "Terminal": "false",
        "Categories": "Graphics;Photography;",
        "MimeType": f"{';'.join(types)};",
    }
    escapes = str.maketrans({"\\": "\\\\", "\n": "\\n"})  # in any value
    written = (f"{key}={value.translate(escapes)}" for key, value in lines.items())
    return "\n".join(["[Desktop Entry]", *written, ""])


def _refresh(folder: Path) -> None:
    """Have file managers notice at once, where there is the program for that."""
    if program := shutil.which("update-desktop-database"):
        subprocess.run([program, str(folder)], check=False, capture_output=True)  # noqa: S603
