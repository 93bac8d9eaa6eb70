"""The photographs that networks learn from here, and those kept back to judge them.

All are shipped by packages; `get_photos.sh` unpacks those that are not Python packages.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from matplotlib import cbook
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""RGB, (height, width, 3)."""

_MATE = "usr/share/backgrounds/mate/nature/{}.jpg"
_PLASMA = "usr/share/wallpapers/{}/contents/images/{}"
_LOMIRI = "usr/share/backgrounds/{}.jpg"
_FACES = "face_recognition-1.3.0/tests/test_images/{}.jpg"
_UNSEEN = ("Autumn", "DarkestHour")
_LONGEST = 2600  # pixels; larger photos are averaged down


@dataclass(frozen=True)
class Collection:
    """Photos of one package. `held_out` are never trained on."""

    package: str
    licence: str
    path: str | None
    names: tuple[str, ...]
    held_out: tuple[str, ...] = ()


COLLECTIONS = (
    Collection(
        "mate-backgrounds (Debian)",
        "GPL-2.0-or-later",
        _MATE,
        (
            *("Aqua", "Blinds", "FreshFlower", "Garden", "GreenMeadow", "LadyBird", "RainDrops"),
            *("Storm", "TwoWings", "Wood", "YellowFlower"),
        ),
        held_out=("Dune",),
    ),
    Collection(
        "plasma-workspace-wallpapers (Debian)",
        "GPL-2.0-or-later",
        _PLASMA,
        (
            *("BytheWater", "ColdRipple", "ColorfulCups", "FallenLeaf", "Grey", "Kite"),
            *("OneStandsOut", "Path", "summer_1am"),
        ),
        held_out=("EveningGlow",),
    ),
    Collection(
        "lomiri-wallpapers-16.04 (Debian)",
        "CC-BY-4.0 and CC0-1.0",
        _LOMIRI,
        (
            *("Picture_0B_by_freespace", "Picture_1A_by_freespace", "Wine_by_Jakkub_Mede"),
            *("aitzgorri_by_Aitzol_Berasategi", "friends_by_Aitzol_Berasategi"),
            *("life_by_Aitzol_Berasategi", "picosdeeuropa_by_Aitzol_Berasategi"),
            *("seeding_by_Clements_Engelhardt", "sunset_by_Aitzol_Berasategi"),
        ),
    ),
    Collection(
        "face_recognition 1.3.0 (source distribution)",
        "public domain: works of the United States government",
        _FACES,
        ("biden", "obama", "obama3"),
        held_out=("obama2",),
    ),
    Collection(
        "scikit-image",
        "CC0 or public domain",
        None,
        ("brick", "camera", "grass", "gravel", "page", "rocket"),
        held_out=("astronaut", "chelsea", "coffee"),
    ),
    Collection("matplotlib", "public domain", None, ("grace_hopper",)),
)


def training_photos(folder: Path, without: tuple[str, ...] = ()) -> Iterator[Image]:
    """The photos to learn from; `folder` is where `get_photos.sh` unpacked."""
    for collection in COLLECTIONS:
        for name in collection.names:
            if name not in without:
                yield _load(collection, name, folder)


def held_out_photos(folder: Path) -> Iterator[tuple[str, Image]]:
    """The photos that were never trained on, with their names."""
    for collection in COLLECTIONS:
        for name in collection.held_out:
            yield name, _load(collection, name, folder)


def unseen_photos(folder: Path) -> Iterator[tuple[str, Image]]:
    """Further photos of the same packages, which belong to no collection."""
    for name in _UNSEEN:
        yield name, read(folder / _PLASMA.format(name, "2560x1600.jpg"))


def _load(collection: Collection, name: str, folder: Path) -> Image:
    if name == "grace_hopper":
        return read(Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))))
    if collection.path is None:
        photo = getattr(skimage.data, name)()
        return photo if photo.ndim == 3 else np.repeat(photo[..., None], 3, 2)
    # Wallpapers come in many sizes; the largest file is the original.
    found = folder.glob(collection.path.format(name, "*"))
    return read(max(found, key=lambda path: (path.stat().st_size, path.name)))


def read(path: Path) -> Image:
    """A photo of at most 2600 pixels, RGB."""
    photo = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))
    scale = _LONGEST / max(photo.shape)
    if scale < 1:
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return np.asarray(photo, np.uint8)
