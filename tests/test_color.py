"""Colors of photos with profiles: what the models see, what comes back."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from benchmarks.photos import astronaut
from enhance.photos.color import SRGB, ColorSpace, color_space, srgb_view
from tests.pictures import (
    SRGB_CURVE,
    SRGB_PROFILE,
    as_photo,
    cmyk_profile,
    gamma,
    gray_profile,
    parametric,
    profile,
    rgb_profile,
    sampled,
    table_profile,
)

PROFILES = {
    "Display P3": rgb_profile("p3", SRGB_CURVE),
    "Adobe RGB": rgb_profile("adobe", gamma(563 / 256)),
    "ProPhoto": rgb_profile("prophoto", parametric(3, 1.8, 1, 0, 1 / 16, 1 / 32)),
    "linear": rgb_profile("srgb", gamma(1)),
    "linear without numbers": rgb_profile("p3", sampled([])),
    "dark": rgb_profile("srgb", gamma(3)),
    "measured": rgb_profile("adobe", sampled(np.linspace(0, 1, 300) ** 1.95)),
    "with an offset": rgb_profile(
        "p3", parametric(4, 1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081, 0, 0)
    ),
}
GRAYS = {
    "gamma 1.8": gray_profile(gamma(1.8)),
    "dot gain": gray_profile(
        sampled(np.linspace(0, 1, 256) ** 1.7 * 0.9 + np.linspace(0, 0.1, 256))
    ),
    "linear": gray_profile(gamma(1)),
}


def by_little_cms(pixels: Any, icc: bytes, *, back: bool = False) -> Any:
    """uint8 RGB or gray through the library that browsers and Photoshop are measured by."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    srgb = ImageCms.createProfile("sRGB")
    image = Image.fromarray(pixels)
    start, end = (srgb, own) if back else (own, srgb)
    mode = "RGB" if not back or image.mode == "RGB" else "L"
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    done = ImageCms.profileToProfile(image, start, end, intent, outputMode=mode)
    assert done is not None
    return np.asarray(done)


def unit(pixels: Any) -> Any:
    return pixels.astype(np.float32) / np.iinfo(pixels.dtype).max


@pytest.mark.parametrize("name", PROFILES)
def test_colors_are_those_of_little_cms(name: str) -> None:
    space = color_space(PROFILES[name])
    levels = np.linspace(0, 255, 18).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(18, -1, 3)
    for pixels in (cube, astronaut()):
        expected = by_little_cms(pixels, PROFILES[name])
        difference = np.abs(space.to_srgb(unit(pixels)) * 255 - expected)
        assert difference.max() <= 2.5
        assert difference.mean() < 0.35, "rounding alone is 0.25"


@pytest.mark.parametrize("name", PROFILES)
def test_colors_of_srgb_come_back_as_by_little_cms(name: str) -> None:
    space = color_space(PROFILES[name])
    expected = by_little_cms(astronaut(), PROFILES[name], back=True)
    bright = expected.min(axis=2) > 8  # in the dark 8 bits of a steep curve say little
    difference = np.abs(space.from_srgb(unit(astronaut())) * 255 - expected)[bright]
    assert difference.max() <= 2.5
    assert difference.mean() < 0.35


@pytest.mark.parametrize("name", GRAYS)
def test_grays_are_those_of_little_cms(name: str) -> None:
    space = color_space(GRAYS[name], True)
    levels = np.arange(20, 256, dtype=np.uint8)[None]  # darker, that library is coarse with grays
    expected = by_little_cms(levels, GRAYS[name])
    seen = space.to_srgb(unit(levels)[..., None].repeat(3, 2))
    assert np.abs(seen * 255 - expected).max() <= 1.5
    assert np.ptp(seen, axis=2).max() == 0


@pytest.mark.parametrize("name", PROFILES)
def test_what_goes_there_and_back_is_the_same_to_16_bits(name: str) -> None:
    space = color_space(PROFILES[name])
    pixels = np.random.default_rng(1).random((64, 64, 3), np.float32)
    back = space.joined(*space.split(pixels))
    assert np.abs(back - pixels).max() * 65535 < 70, "a quarter of an 8-bit level"
    inside = np.random.default_rng(2).random((64, 64, 3), np.float32) * 0.8 + 0.1
    there = space.to_srgb(space.from_srgb(inside))
    if name in ("Display P3", "Adobe RGB", "ProPhoto", "measured"):  # wider than sRGB
        assert np.abs(there - inside).max() * 255 < 0.1


@pytest.mark.parametrize("name", PROFILES)
def test_sixteen_bits_stay_sixteen(name: str) -> None:
    ramp = np.linspace(0.2, 1, 50_000, dtype=np.float32)[:, None].repeat(3, 1)
    assert len(np.unique(color_space(PROFILES[name]).to_srgb(ramp)[:, 1])) > 10_000


def test_a_wider_space_holds_what_srgb_cannot() -> None:
    space = color_space(PROFILES["Display P3"])
    green = np.array([[[0.0, 1.0, 0.0]]], np.float32)
    assert space.to_srgb(green).tolist() == [[[0.0, 1.0, 0.0]]], "clipped"
    _, rest = space.split(green)
    assert rest is not None
    assert rest[0, 0, 0] < -0.3, "P3's own green has less red"
    assert space.split(np.full((4, 4, 3), 0.5, np.float32))[1] is None


@pytest.mark.parametrize(
    "icc", [None, SRGB_PROFILE, rgb_profile("srgb", SRGB_CURVE)], ids=["none", "Pillow's", "ours"]
)
def test_srgb_is_left_alone(icc: bytes | None) -> None:
    assert color_space(icc) is SRGB
    assert color_space(icc, True) is SRGB
    pixels = np.random.default_rng(0).random((3, 3, 3), np.float32)
    assert SRGB.to_srgb(pixels) is pixels
    assert SRGB.from_srgb(pixels) is pixels
    assert SRGB.split(pixels)[1] is None
    view = astronaut()
    assert srgb_view(as_photo(view)) is view


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_view_of_a_whole_photo_is_in_srgb(dtype: type) -> None:
    space = color_space(PROFILES["Adobe RGB"])
    top = np.iinfo(dtype).max
    pixels: Any = (astronaut().astype(dtype) * (top // 255)).astype(dtype)
    pixels = np.tile(pixels, (1, 20, 1))  # more than one band
    view = srgb_view(replace(as_photo(pixels), icc=PROFILES["Adobe RGB"]))
    assert view.dtype == dtype
    assert np.array_equal(view, np.rint(space.to_srgb(pixels.astype(np.float32) / top) * top))
    expected = by_little_cms(astronaut(), PROFILES["Adobe RGB"])
    assert np.abs(view[:, :512] / (top / 255) - expected).max() <= 2


def test_any_number_of_crops_is_converted() -> None:
    space = color_space(PROFILES["ProPhoto"])
    crops = np.random.default_rng(0).random((3, 16, 16, 3), np.float32)
    seen = space.to_srgb(crops)
    assert seen.shape == crops.shape
    assert seen.dtype == np.float32
    assert np.array_equal(seen[1], space.to_srgb(crops[1]))
    assert space.to_srgb(crops[:0]).shape == (0, 16, 16, 3)
    assert space.split(crops[:0])[1] is None


def test_values_outside_are_clipped() -> None:
    space = color_space(PROFILES["Display P3"])
    wild = np.array([[[-1.0, 2.0, 0.5]]], np.float32)
    tame = np.array([[[0.0, 1.0, 0.5]]], np.float32)
    assert np.array_equal(space.from_srgb(wild), space.from_srgb(tame))
    assert np.array_equal(space.to_srgb(wild), space.to_srgb(tame))


# Profiles of tables


def test_profiles_of_tables_go_through_little_cms() -> None:
    icc = table_profile(back=True)
    space = color_space(icc)
    assert space is not SRGB
    pixels = astronaut()[::4, ::4]
    seen = space.to_srgb(unit(pixels))
    expected = by_little_cms(np.ascontiguousarray(pixels), icc)
    assert np.abs(seen * 255 - expected).max() < 0.6, "that library's rounding to 8 bits is 0.5"
    ramp = np.linspace(0.2, 0.8, 5_000, dtype=np.float32)[:, None].repeat(3, 1)
    assert len(np.unique(space.to_srgb(ramp)[:, 1])) > 2_000
    back = space.joined(*space.split(unit(pixels)))
    assert np.abs(back - unit(pixels)).max() < 1e-2


def test_a_profile_of_tables_without_a_way_back_is_left_alone() -> None:
    assert color_space(table_profile(back=False)) is SRGB


# Profiles that are none

BROKEN: dict[str, Callable[[], bytes]] = {
    "junk": lambda: b"junk" * 50,
    "empty": lambda: b"",
    "cmyk": cmyk_profile,
    "gray": lambda: GRAYS["linear"],
    "cut": lambda: PROFILES["Adobe RGB"][:150],
    "no tags": lambda: profile(b"RGB ", {}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_profile_that_is_none_or_for_other_pictures_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="profile"):
        color_space(BROKEN[name]())


@pytest.mark.parametrize(
    "curve",
    [
        sampled([1, 0.5, 0]),
        sampled([0, 0]),
        b"para\0\0\0\0" + bytes(4),
        b"para\0\0\0\0\0\x09\0\0" + bytes(40),
        b"curv\0\0\0\0\xff\xff\xff\xff",
        b"",
        parametric(1, 2.2, 0, 0),
    ],
)
def test_curves_that_are_none_do_no_harm(curve: bytes) -> None:
    pixels = np.random.default_rng(0).random((8, 8, 3), np.float32)
    try:
        space: ColorSpace = color_space(rgb_profile("p3", curve))
    except ValueError:
        return
    for result in (space.to_srgb(pixels), space.from_srgb(pixels)):
        assert np.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 1


def test_a_photo_of_one_channel_may_have_either_kind_of_profile() -> None:
    assert color_space(GRAYS["linear"], True) is not SRGB
    assert color_space(PROFILES["linear"], True) is not SRGB
