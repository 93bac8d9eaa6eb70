"""What a browser shows of a photo and its result."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import astronaut
from enhance.engines.local import LocalEngine
from enhance.options import Options
from enhance.photos.orientation import ORIENTATION
from enhance.pipeline.views import picture, views_of
from enhance.records import Face, Photo, Pixels, Report, Result, Source, Views
from tests.conftest import Save
from tests.pictures import SRGB_CURVE, rgb_profile

QUICK = Options(size="1x", restorer="none", background="lanczos", repair="off", tone="off")


def opened(data: bytes | None) -> Image.Image:
    assert data
    return Image.open(io.BytesIO(data))


def report(size: tuple[int, int], upscale: int, *faces: Face) -> Report:
    large = size[0] * upscale, size[1] * upscale
    models = ("none", "lanczos", "none", "none")
    return Report("a.png", size, large, faces, (), *models, upscale, "cpu", "fp32")


def photo(rgb: Pixels, name: str = "a.png") -> Photo:
    return Photo(name, rgb, "PNG")


def test_a_huge_result_can_be_looked_at() -> None:
    huge = np.full((13_000, 14_000, 3), 90, np.uint8)  # beyond what Pillow refuses by itself
    views = views_of(photo(huge), photo(huge), huge, "jpg", report((14_000, 13_000), 1))
    assert opened(views.thumbnail).size == (480, 446)
    assert opened(views.shown).size == opened(views.before).size == (4096, 3803)


@pytest.mark.parametrize("upscale", [1, 2, 4])
def test_the_same_detail_is_shown_at_every_size(upscale: int) -> None:
    """Also of results so large that the page shows only a smaller copy of them."""
    width, height = 4000, 3000
    face = Face((2400.0, 1600.0, 2600.0, 1800.0), 0.9, ())
    canvas = np.zeros((height * upscale, width * upscale, 3), np.uint8)
    left, top, right, bottom = (round(edge * upscale) for edge in face.box)
    canvas[top:bottom, left:right] = 200
    views = views_of(
        photo(canvas), photo(canvas), canvas, "jpg", report((width, height), upscale, face)
    )
    with opened(views.detail) as image:
        assert image.size == (300 * upscale, 300 * upscale)
        seen = np.asarray(image)[..., 0] > 100
    edge = 50 * upscale
    assert seen[edge:-edge, edge:-edge].mean() > 0.99
    assert seen.mean() == pytest.approx((200 / 300) ** 2, abs=0.01)


def test_a_detail_lies_within_the_result() -> None:
    small = np.full((40, 90, 3), 90, np.uint8)
    corner = Face((60.0, 10.0, 95.0, 45.0), 0.9, ())
    for faces in ((), (corner,)):
        views = views_of(photo(small), photo(small), small, "png", report((90, 40), 1, *faces))
        assert opened(views.detail).size == (40, 40)


def test_a_deep_gray_picture_is_not_shown_white() -> None:
    ramp = np.linspace(0, 65535, 200 * 100).reshape(100, 200).astype(np.uint16)
    deep = np.dstack([ramp] * 3)
    with opened(picture(deep, replace(photo(deep), gray=True))) as image:
        assert image.mode == "L"
        assert 120 < np.asarray(image).mean() < 135


def test_a_wide_gamut_is_shown_as_such() -> None:
    profile = rgb_profile("p3", SRGB_CURVE)
    with opened(picture(astronaut(), replace(photo(astronaut()), icc=profile))) as image:
        assert image.info["icc_profile"] == profile
        assert np.abs(np.asarray(image).astype(int) - astronaut()).mean() < 4


@pytest.mark.parametrize("shape", [(1, 70_000, 3), (70_000, 1, 3), (1, 1, 3)])
def test_odd_shapes_are_shown(shape: tuple[int, int, int]) -> None:
    odd = np.full(shape, 90, np.uint8)
    with opened(picture(odd, photo(odd))) as image:
        assert max(image.size) == min(4096, max(shape[:2]))


@pytest.mark.parametrize(
    ("name", "shown", "before"), [("a.tif", True, True), ("a.png", False, False)]
)
def test_files_that_browsers_show_need_no_copy(
    engine: LocalEngine, save: Save, name: str, shown: bool, before: bool
) -> None:
    source = save(name, astronaut())
    (result,) = engine.run([source], QUICK, viewed=True)
    full = views(result)
    assert (full.shown is not None, full.before is not None) == (shown, before)
    for data in filter(None, (full.thumbnail, full.shown, full.before)):
        with opened(data) as image:
            assert abs(np.asarray(image).mean() - astronaut().mean()) < 2


@pytest.mark.parametrize(("true", "name"), [("a.heic", "a.jpg"), ("a.tif", "a.png")])
def test_a_file_whose_extension_lies_is_shown_as_a_copy(
    engine: LocalEngine, save: Save, true: str, name: str
) -> None:
    source = save(true, astronaut())
    source = Source(source.path.rename(source.path.with_name(name)), name)
    (result,) = engine.run([source], QUICK, viewed=True)
    with opened(views(result).before) as image:
        assert np.abs(np.asarray(image).astype(int) - astronaut()).mean() < 4


@pytest.mark.parametrize(("name", "copied"), [("a.jpg", False), ("a.png", True), ("a.webp", True)])
def test_a_turned_file_is_shown_as_a_copy_unless_every_browser_turns_it(
    engine: LocalEngine, save: Save, name: str, copied: bool
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    (result,) = engine.run([save(name, astronaut()[:90], exif=exif)], QUICK, viewed=True)
    before = views(result).before
    assert bool(before) == copied
    if before:
        assert opened(before).size == (90, 512)


def test_who_does_not_look_gets_no_views(engine: LocalEngine, save: Save) -> None:
    (result,) = engine.run([save("a.png", astronaut())], QUICK)
    assert isinstance(result, Result)
    assert result.views is None


def views(result: object) -> Views:
    assert isinstance(result, Result)
    assert result.views
    return result.views
