"""Whole photos through the engine: what must not change does not, colors come back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.photos import Damage, astronaut, degrade, hopper
from enhance.engines.local import LocalEngine
from enhance.options import Options
from enhance.photos import decode, encode
from enhance.photos.color import color_space
from enhance.records import Photo, Result, Source
from tests.pictures import (
    DEEP,
    PHOTO,
    SRGB_CURVE,
    XMP,
    exif,
    file_of,
    gamma,
    gray_profile,
    iptc,
    rgb_profile,
)

AS_IT_IS = Options(restorer="none", size="1x", background="lanczos", repair="off", tone="off")
P3 = rgb_profile("p3", SRGB_CURVE)
PROPHOTO = rgb_profile("prophoto", gamma(1.8))
GRAY = gray_profile(gamma(1.8))


def through(engine: LocalEngine, folder: Path, data: bytes, options: Options) -> tuple[Photo, Any]:
    """The result of a file, decoded, and its record."""
    source = folder / "photo.bin"
    source.write_bytes(data)
    (record,) = engine.run([Source.of(source)], options)
    assert isinstance(record, Result), record
    (folder / record.filename).write_bytes(record.data)
    return decode(Source.of(folder / record.filename)), record


def written(photo: Photo) -> bytes:
    return encode(photo.rgb, photo.alpha, photo, "same", 100)[0]


def pixels(channels: int, dtype: type) -> Any:
    return (DEEP if dtype is np.uint16 else np.dstack([PHOTO, PHOTO[..., 1]]))[..., :channels]


def photo_of(kind: str, channels: int, dtype: type) -> Photo:
    """A photo with everything a file can carry; 1 and 2 channels are gray, 2 and 4 have alpha."""
    values = pixels(channels, dtype)
    gray = channels < 3
    color = values[..., :1].repeat(3, 2) if gray else values[..., :3]
    return Photo(
        name="a",
        rgb=np.ascontiguousarray(color),
        format=kind,
        alpha=np.ascontiguousarray(values[..., -1]) if channels in (2, 4) else None,
        gray=gray,
        icc=GRAY if gray else P3,
        exif=exif(),
        xmp=XMP,
        iptc=iptc(),
        dpi=(300.0, 300.0),
        lossless=kind == "WEBP",
    )


def assert_same_blocks(first: Photo, second: Photo) -> None:
    for block in ("icc", "xmp", "iptc", "dpi", "format", "gray", "lossless"):
        assert getattr(first, block) == getattr(second, block), block
    if first.format != "AVIF":  # Pillow writes its EXIF anew
        assert first.exif == second.exif


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("PNG", np.uint8),
        ("PNG", np.uint16),
        ("TIFF", np.uint8),
        ("TIFF", np.uint16),
        ("WEBP", np.uint8),
    ],
)
def test_lossless_photos_come_out_as_they_went_in(
    engine: LocalEngine, tmp_path: Path, kind: str, dtype: type, channels: int
) -> None:
    made = photo_of(kind, channels, dtype)
    if kind == "WEBP":
        made = replace(made, gray=False, icc=P3)  # it knows only color
    data = written(made)
    before = decode(Source.of(_saved(tmp_path / "before", data)))
    after, record = through(engine, tmp_path, data, AS_IT_IS)
    assert before.rgb.dtype == after.rgb.dtype == dtype
    assert np.array_equal(before.rgb, made.rgb)
    assert np.array_equal(after.rgb, made.rgb)
    assert (after.alpha is None) == (made.alpha is None)
    if made.alpha is not None:
        assert after.alpha is not None
        assert np.array_equal(after.alpha, made.alpha)
    assert record.report.notes == ()
    assert_same_blocks(before, after)
    assert after.xmp == XMP
    assert after.icc == made.icc
    again, _ = through(engine, tmp_path, record.data, AS_IT_IS)
    assert np.array_equal(again.rgb, made.rgb)
    assert_same_blocks(after, again)


def test_a_bitmap_comes_out_as_it_went_in(engine: LocalEngine, tmp_path: Path) -> None:
    after, _ = through(engine, tmp_path, file_of(PHOTO, "BMP"), AS_IT_IS)
    assert after.format == "BMP"
    assert np.array_equal(after.rgb, PHOTO)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "HEIF", "AVIF"])
@pytest.mark.parametrize("gray", [False, True])
def test_lossy_photos_keep_their_picture_and_all_else(
    engine: LocalEngine, tmp_path: Path, kind: str, gray: bool
) -> None:
    made = replace(photo_of(kind, 1 if gray and kind == "JPEG" else 3, np.uint8), lossless=False)
    data = written(made)
    before = decode(Source.of(_saved(tmp_path / "before", data)))
    after, record = through(engine, tmp_path, data, replace(AS_IT_IS, quality=100))
    assert np.abs(before.rgb.astype(int) - after.rgb).mean() < 1.5
    assert record.report.notes == ()
    assert_same_blocks(before, after)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (1, 3), (17, 31), (20_000, 1)])
@pytest.mark.parametrize("upscale", [0.5, 1, 1.5, 2, 3])
def test_photos_of_any_shape(
    engine: LocalEngine, tmp_path: Path, width: int, height: int, upscale: float
) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    options = Options(size=f"{upscale}x", background="lanczos", repair="off", tone="off")
    after, _ = through(engine, tmp_path, file_of(colors, "PNG"), options)
    assert after.size == tuple(max(1, round(side * upscale)) for side in (width, height))
    if upscale == 1:
        assert np.array_equal(after.rgb, colors)


def test_where_it_was_taken_is_left_out_on_request(engine: LocalEngine, tmp_path: Path) -> None:
    data = written(photo_of("JPEG", 3, np.uint8))
    assert b"Paris" in data
    after, record = through(engine, tmp_path, data, replace(AS_IT_IS, metadata="no-location"))
    assert b"Paris" not in record.data
    assert after.exif is not None
    assert b"1999:12:31" in after.exif
    after, _ = through(engine, tmp_path, data, replace(AS_IT_IS, metadata="strip"))
    assert (after.exif, after.xmp, after.iptc, after.icc) == (None, None, None, P3)


def test_the_edges_of_alpha_stay_clean(engine: LocalEngine, tmp_path: Path) -> None:
    """No dark or bright fringe: color under transparency is as good as any."""
    color = np.full((40, 40, 3), (200, 60, 30), np.uint8)
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 10:30] = 255
    data = file_of(np.dstack([color, alpha]), "PNG")
    after, _ = through(engine, tmp_path, data, replace(AS_IT_IS, size="4x"))
    assert (after.rgb == (200, 60, 30)).all()
    assert after.alpha is not None
    inside = np.zeros((160, 160), bool)
    inside[36:124, 36:124] = True  # the edge may be one pixel of the photo soft
    assert after.alpha[~inside].max() == 0
    assert after.alpha[44:116, 44:116].min() == 255


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hidden_colors_do_not_shine_through(
    engine: LocalEngine, tmp_path: Path, dtype: type
) -> None:
    top = np.iinfo(dtype).max
    alpha: Any = np.zeros((40, 50), dtype)
    alpha[10:30, 10:30] = top
    color: Any = np.zeros((40, 50, 3), dtype)
    color[alpha > 0] = (top, top // 2, top // 4)
    color[:, 35:] = (0, top, 0)
    made = Photo("a", color, "PNG", alpha)
    after, _ = through(engine, tmp_path, written(made), replace(AS_IT_IS, size="3x"))
    assert after.alpha is not None
    assert after.alpha.any()
    assert (after.rgb[after.alpha > 0] == (top, top // 2, top // 4)).all()
    kept, _ = through(engine, tmp_path, written(made), AS_IT_IS)
    assert np.array_equal(kept.rgb, color)


# Colors


def in_space(srgb: Any, icc: bytes) -> Any:
    """sRGB pixels, uint8, as uint16 pixels of another space."""
    space = color_space(icc)
    return np.rint(space.from_srgb(srgb.astype(np.float32) / 255) * 65535).astype(np.uint16)


def seen(photo: Photo) -> Any:
    """A photo as people see it, in sRGB, 0..255."""
    top = np.iinfo(photo.rgb.dtype).max
    return color_space(photo.icc, photo.gray).to_srgb(photo.rgb.astype(np.float32) / top) * 255


# Between pixels, a space with other tones interpolates otherwise. Unconverted: 1.1 and 3.4.
@pytest.mark.parametrize(("icc", "levels"), [(P3, 0.6), (PROPHOTO, 1.2)], ids=["P3", "ProPhoto"])
def test_a_face_looks_the_same_whatever_the_space_of_its_photo(
    engine: LocalEngine, tmp_path: Path, icc: bytes, levels: float
) -> None:
    portrait = degrade(hopper(), Damage(down=3))
    options = Options(restorer="bundled", background="lanczos", repair="off", tone="off", size="1x")
    plain, first = through(engine, tmp_path, file_of(portrait, "PNG"), options)
    other = Photo("a", in_space(portrait, icc), "PNG", icc=icc)
    wide, second = through(engine, tmp_path, written(other), options)
    assert wide.icc == icc
    assert wide.rgb.dtype == np.uint16
    (face,), (again,) = first.report.faces, second.report.faces
    assert np.abs(np.subtract(face.box, again.box)).max() < 1
    changed = (plain.rgb != portrait).any(axis=2)
    assert changed.mean() > 0.1
    restored = np.abs(plain.rgb.astype(float) - portrait)[changed].mean()
    difference = np.abs(seen(wide) - plain.rgb)[changed]
    assert restored > 2
    assert difference.mean() < levels
    assert np.abs(seen(wide)[~changed] - portrait[~changed]).mean() < 0.1


@pytest.mark.parametrize("icc", [P3, PROPHOTO], ids=["P3", "ProPhoto"])
def test_the_background_model_sees_srgb_too(
    engine: LocalEngine, tmp_path: Path, icc: bytes
) -> None:
    picture = np.ascontiguousarray(astronaut()[40:80, 150:198])
    options = Options(
        restorer="none", background="realesrgan", repair="off", tone="off", size="2x", tile=32
    )
    plain, _ = through(engine, tmp_path, file_of(picture, "PNG"), options)
    wide, _ = through(
        engine, tmp_path, written(Photo("a", in_space(picture, icc), "PNG", icc=icc)), options
    )
    assert np.abs(seen(wide) - plain.rgb).mean() < 0.6


def test_colors_beyond_srgb_go_round_the_model(engine: LocalEngine, tmp_path: Path) -> None:
    green = np.zeros((40, 40, 3), np.uint8)
    green[..., 1] = 255
    data = written(Photo("a", green, "PNG", icc=P3))
    options = Options(
        restorer="none", background="realesrgan", repair="off", tone="off", size="2x", tile=32
    )
    after, _ = through(engine, tmp_path, data, options)
    assert after.icc == P3
    middle = after.rgb[20:60, 20:60].astype(int)
    assert np.abs(middle - (0, 255, 0)).mean() < 6, "clipped it would be (117, 251, 76)"


def test_a_gray_photo_keeps_its_tones(engine: LocalEngine, tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (40, 1))
    made = Photo("a", ramp[..., None].repeat(3, 2), "PNG", gray=True, icc=GRAY)
    options = Options(
        restorer="none", background="realesrgan", repair="off", tone="off", size="1x", tile=64
    )
    after, _ = through(engine, tmp_path, written(made), options)
    assert after.gray
    assert after.icc == GRAY
    assert np.abs(after.rgb.astype(int) - made.rgb).mean() < 3


@pytest.mark.parametrize(
    ("icc", "gray"), [(b"junk" * 50, False), (GRAY, False), (b"junk" * 50, True)]
)
def test_a_profile_that_cannot_be_used_is_left_out_and_said(
    engine: LocalEngine, tmp_path: Path, icc: bytes, gray: bool
) -> None:
    picture = PHOTO[..., 1] if gray else PHOTO
    data = file_of(np.ascontiguousarray(picture), "PNG", icc_profile=icc)
    after, record = through(engine, tmp_path, data, AS_IT_IS)
    assert after.icc is None
    assert [note for note in record.report.notes if "profile cannot be used" in note]
    assert np.array_equal(after.rgb[..., 1], PHOTO[..., 1])


def _saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
