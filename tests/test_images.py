import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms

from benchmarks.photos import Rgb
from enhance.errors import PhotoError, PhotoTooLarge, UnreadablePhoto, UnsupportedPhoto
from enhance.limits import Limits
from enhance.names import output_stem
from enhance.options import OutputFormat
from enhance.photos import decode, encode, size_of
from enhance.photos.formats import video_bits
from enhance.records import Photo, Source
from tests.pictures import (
    DEEP,
    PHOTO,
    cmyk_profile,
    deep_png,
    exif,
    file_of,
    png,
)
from tests.pictures import SRGB_PROFILE as ICC

Make = Callable[..., Source]


def near(a: Rgb, b: Rgb) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """make("name.ext", bytes), or an image and the settings to save it with → its source."""

    def write(name: str, content: Any, **settings: Any) -> Source:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            image = content if isinstance(content, Image.Image) else Image.fromarray(content)
            image.save(path, **settings)
        return Source.of(path)

    return write


def reopen(photo: Photo, wanted: OutputFormat = "same", quality: int = 95) -> Image.Image:
    data, extension, _ = encode(photo.rgb, photo.alpha, photo, wanted, quality)
    image = Image.open(io.BytesIO(data))
    assert image.format is not None
    assert extension in {"JPEG": "jpg", "HEIF": "heic", "TIFF": "tif"}.get(
        image.format, image.format.lower()
    )
    return image


def recoded(photo: Photo, make: Make, wanted: OutputFormat = "same") -> Photo:
    data, extension, _ = encode(photo.rgb, photo.alpha, photo, wanted, 95)
    return decode(make(f"again.{extension}", data))


# Round trips


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_lossless_formats_keep_every_pixel(make: Make, ending: str) -> None:
    photo = decode(make(f"a.{ending}", PHOTO))
    assert photo.notes == ()
    assert np.array_equal(photo.rgb, PHOTO)
    assert np.array_equal(recoded(photo, make).rgb, PHOTO)


@pytest.mark.parametrize("ending", ["jpg", "webp", "heic", "avif"])
def test_lossy_formats_keep_the_picture(make: Make, ending: str) -> None:
    photo = decode(make(f"a.{ending}", PHOTO, quality=95))
    again = recoded(photo, make)
    assert again.format == photo.format
    assert again.rgb.dtype == np.uint8
    assert near(photo.rgb, PHOTO) < 3
    assert near(again.rgb, photo.rgb) < 3


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("jpg", "JPEG"),
        ("png", "PNG"),
        ("webp", "WEBP"),
        ("tif", "TIFF"),
        ("bmp", "BMP"),
        ("heic", "HEIF"),
        ("avif", "AVIF"),
    ],
)
def test_same_means_the_photos_own_format(make: Make, ending: str, kind: str) -> None:
    assert reopen(decode(make(f"a.{ending}", PHOTO))).format == kind


@pytest.mark.parametrize("wanted", ["jpeg", "png", "webp"])
def test_another_format_can_be_wanted(make: Make, wanted: OutputFormat) -> None:
    photo = decode(make("a.tif", PHOTO))
    assert reopen(photo, wanted).format == wanted.upper()


def test_the_format_is_what_the_bytes_say_not_the_name(make: Make) -> None:
    data = io.BytesIO()
    Image.fromarray(PHOTO).save(data, "PNG")
    assert decode(make("a.jpg", data.getvalue())).format == "PNG"


def test_an_animation_gives_its_first_picture_as_png(make: Make) -> None:
    frames = [Image.fromarray(PHOTO).convert("P"), Image.new("P", (140, 160), 3)]
    photo = decode(make("a.gif", frames[0], save_all=True, append_images=frames[1:]))
    assert np.array_equal(photo.rgb, np.asarray(frames[0].convert("RGB")))
    assert any("first of 2" in note for note in photo.notes)
    data, extension, notes = encode(photo.rgb, photo.alpha, photo, "same", 95)
    assert extension == "png"
    assert any("PNG" in note for note in notes)
    assert np.array_equal(decode(make("b.png", data)).rgb, photo.rgb)


def test_a_tiff_of_several_pages_gives_its_first(make: Make) -> None:
    pages = [Image.fromarray(PHOTO), Image.new("RGB", (10, 10))]
    photo = decode(make("a.tif", pages[0], save_all=True, append_images=pages[1:]))
    assert np.array_equal(photo.rgb, PHOTO)
    assert any("first of 2" in note for note in photo.notes)


# What is not pixels


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "heic", "avif"])
def test_the_color_profile_is_kept(make: Make, ending: str) -> None:
    photo = decode(make(f"a.{ending}", PHOTO, icc_profile=ICC))
    assert photo.icc == ICC
    assert reopen(photo).info["icc_profile"] == ICC


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "heic", "avif"])
def test_exif_is_kept_and_says_upright(make: Make, ending: str) -> None:
    kept = reopen(decode(make(f"a.{ending}", PHOTO, exif=exif(6)))).getexif()
    assert kept.get(0x0112, 1) == 1
    assert "maker" in str(kept[0x010F])
    assert kept.get_ifd(0x8769)[0x9003] == "1999:12:31 23:59:59"


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "heic", "avif"])
def test_exif_is_otherwise_kept_byte_for_byte(make: Make, ending: str) -> None:
    before = exif(8).removeprefix(b"Exif\0\0")
    photo = decode(make(f"a.{ending}", PHOTO, exif=exif(8)))
    assert photo.exif is not None
    after = photo.exif.removeprefix(b"Exif\0\0")
    assert len(after) == len(before)
    changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    if ending not in ("heic", "avif"):  # these store the orientation elsewhere
        assert len(changed) == 1
    assert len(changed) <= 1
    written = reopen(photo)
    if ending == "avif":  # Pillow writes this block anew
        maker_note = Image.Exif()
        maker_note.load(before)
        assert written.getexif().get_ifd(0x8769) == maker_note.get_ifd(0x8769)
    else:
        assert written.info["exif"].removeprefix(b"Exif\0\0") == after


def test_broken_exif_does_not_lose_the_photo(make: Make) -> None:
    source = make("a.jpg", PHOTO, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    photo = decode(source)
    assert near(photo.rgb, PHOTO) < 4
    assert reopen(photo).size == (140, 160)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "bmp"])
def test_the_resolution_is_kept(make: Make, ending: str) -> None:
    photo = decode(make(f"a.{ending}", PHOTO, dpi=(300, 300)))
    assert reopen(photo).info["dpi"] == pytest.approx((300, 300), abs=0.05)


STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[::-1],  # seen after a quarter turn clockwise
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[:, ::-1],
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_every_orientation_is_turned_upright(make: Make, ending: str, orientation: int) -> None:
    pixels = np.ascontiguousarray(STORED[orientation](PHOTO))
    settings = {"quality": 95, "subsampling": 0} if ending == "jpg" else {"lossless": True}
    block = Image.Exif()
    block[0x0112] = orientation
    photo = decode(make(f"a.{ending}", pixels, exif=block.tobytes(), **settings))
    assert photo.rgb.shape == PHOTO.shape
    if ending == "jpg":
        assert near(photo.rgb, PHOTO) < 3
    else:
        assert np.array_equal(photo.rgb, PHOTO)
    written = reopen(photo)
    assert written.size == (140, 160)
    assert written.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("orientation", STORED)
def test_deep_photos_are_turned_upright_too(make: Make, orientation: int) -> None:
    block = Image.Exif()
    block[0x0112] = orientation
    chunk = (b"eXIf", block.tobytes().removeprefix(b"Exif\0\0"))
    photo = decode(make("a.png", deep_png(STORED[orientation](DEEP[..., :3]), chunk)))
    assert np.array_equal(photo.rgb, DEEP[..., :3])
    stored = np.ascontiguousarray(STORED[orientation](DEEP[..., :3]))
    tag = (274, "H", 1, orientation, True)
    file = io.BytesIO()
    tifffile.imwrite(file, stored, photometric="rgb", extratags=[tag])
    assert np.array_equal(decode(make("a.tif", file.getvalue())).rgb, DEEP[..., :3])


@pytest.mark.parametrize("ending", ["heic", "avif"])
def test_orientation_in_modern_formats_is_applied_once(make: Make, ending: str) -> None:
    source = make(f"a.{ending}", PHOTO, exif=exif(6), quality=95)
    photo = decode(source)
    assert photo.rgb.shape == (140, 160, 3)
    assert near(photo.rgb, np.rot90(PHOTO, -1)) < 4
    again = recoded(photo, make)
    assert near(again.rgb, photo.rgb) < 4


# Kinds of pixels


def test_gray_stays_gray(make: Make) -> None:
    gray = np.ascontiguousarray(PHOTO[..., 1])
    photo = decode(make("a.png", gray))
    assert photo.gray
    assert np.array_equal(photo.rgb, gray[..., None].repeat(3, 2))
    written = reopen(photo)
    assert written.mode == "L"
    assert np.array_equal(np.asarray(written), gray)
    assert reopen(photo, "jpeg").mode == "L"


def test_gray_with_alpha_keeps_both(make: Make) -> None:
    pixels = np.ascontiguousarray(PHOTO[..., :2])
    photo = decode(make("a.png", Image.fromarray(pixels, "LA")))
    assert photo.gray
    assert np.array_equal(photo.rgb[..., 2], pixels[..., 0])
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, pixels[..., 1])
    written = reopen(photo)
    assert written.mode == "LA"
    assert np.array_equal(np.asarray(written), pixels)


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_alpha_is_kept(make: Make, ending: str) -> None:
    rgba = np.dstack([PHOTO, PHOTO[..., 0]])
    photo = decode(make(f"a.{ending}", rgba, lossless=True, exact=True))
    assert np.array_equal(photo.rgb, PHOTO), "also under full transparency"
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, PHOTO[..., 0])
    assert np.array_equal(np.asarray(reopen(photo))[..., 3], PHOTO[..., 0])


def test_a_palette_becomes_its_colors(make: Make) -> None:
    image = Image.fromarray(PHOTO).quantize(64)
    photo = decode(make("a.png", image))
    assert photo.alpha is None
    assert np.array_equal(photo.rgb, np.asarray(image.convert("RGB")))


def test_a_transparent_palette_entry_becomes_alpha(make: Make) -> None:
    image = Image.fromarray(PHOTO).quantize(64)
    clear = int(np.asarray(image)[5, 5])
    photo = decode(make("a.png", image, transparency=clear))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha == 0, np.asarray(image) == clear)
    assert reopen(photo).mode == "RGBA"


def test_black_and_white_becomes_gray(make: Make) -> None:
    image = Image.fromarray(PHOTO).convert("1")
    photo = decode(make("a.png", image))
    assert photo.gray
    assert np.array_equal(photo.rgb[..., 0] > 127, np.asarray(image))
    assert set(np.unique(photo.rgb)) == {0, 255}


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_cmyk_becomes_srgb(make: Make, ending: str) -> None:
    image = Image.fromarray(PHOTO).convert("CMYK")
    photo = decode(make(f"a.{ending}", image))
    assert near(photo.rgb, PHOTO) < 4
    assert photo.icc is None
    assert any("CMYK" in note for note in photo.notes)
    assert reopen(photo).mode == "RGB"


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_cmyk_is_converted_through_its_profile(make: Make, ending: str) -> None:
    image = Image.new("CMYK", (40, 30), (0, 255, 0, 0))
    photo = decode(make(f"a.{ending}", image, icc_profile=cmyk_profile()))
    red, green, blue = photo.rgb[15, 20].astype(int)
    assert blue > red + 50, "without the profile it would be magenta"
    assert blue > green + 50
    assert abs(red - 255) > 50
    assert photo.icc is None


def test_an_unusable_profile_is_ignored(make: Make) -> None:
    image = Image.fromarray(PHOTO).convert("CMYK")
    assert near(decode(make("a.jpg", image, icc_profile=b"junk" * 50)).rgb, PHOTO) < 4


def test_lab_becomes_srgb(make: Make) -> None:
    lab = ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(
        Image.fromarray(PHOTO), ImageCms.createProfile("sRGB"), lab, outputMode="LAB"
    )
    photo = decode(make("a.tif", image))
    assert near(photo.rgb, PHOTO) < 4
    assert any("Lab" in note for note in photo.notes)


# 16 bits a channel


def tiff(pixels: Any, **settings: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **settings)
    return file.getvalue()


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_stay_16_bits(make: Make, ending: str, channels: int) -> None:
    pixels = DEEP[..., :channels]
    if ending == "png":
        source = make("a.png", deep_png(pixels))
    else:
        content = tiff(
            pixels[..., 0] if channels == 1 else np.ascontiguousarray(pixels),
            photometric="minisblack" if channels < 3 else "rgb",
            planarconfig=None if channels == 1 else "contig",
            extrasamples=["unassalpha"] if channels in (2, 4) else None,
        )
        source = make("a.tif", content)
    first = decode(source)
    for photo in (first, recoded(first, make)):
        assert photo.rgb.dtype == np.uint16
        assert photo.format == first.format
        color = pixels[..., : 1 if channels < 3 else 3]
        assert np.array_equal(photo.rgb, np.broadcast_to(color, photo.rgb.shape))
        assert (photo.alpha is None) == (channels in (1, 3))
        if photo.alpha is not None:
            assert photo.alpha.dtype == np.uint16
            assert np.array_equal(photo.alpha, pixels[..., -1])
        assert photo.gray == (channels < 3)


def test_16_bit_tiffs_that_are_packed_in_unusual_ways(make: Make) -> None:
    rgb = np.ascontiguousarray(DEEP[..., :3])
    planes = tiff(np.moveaxis(rgb, -1, 0).copy(), photometric="rgb", planarconfig="separate")
    assert np.array_equal(decode(make("planes.tif", planes)).rgb, rgb)
    planes = tiff(
        np.moveaxis(rgb, -1, 0).copy(),
        photometric="rgb",
        planarconfig="separate",
        compression="lzw",
        tile=(16, 16),
    )
    assert np.array_equal(decode(make("planes of tiles.tif", planes)).rgb, rgb)
    white = decode(make("white.tif", tiff(rgb[..., 0], photometric="miniswhite")))
    assert white.gray
    assert np.array_equal(white.rgb[..., 0], 65535 - rgb[..., 0])
    gray = Image.fromarray(rgb[..., 0])
    for compression in ("tiff_lzw", "packbits", "tiff_adobe_deflate"):
        packed = make("packed.tif", gray, compression=compression, tiffinfo={274: 6})
        assert np.array_equal(decode(packed).rgb[..., 0], np.rot90(rgb[..., 0], -1))
    order = tiff(rgb, photometric="rgb", byteorder=">")
    assert np.array_equal(decode(make("motorola.tif", order)).rgb, rgb)


def test_premultiplied_16_bit_colors_become_plain_ones(make: Make) -> None:
    alpha = np.linspace(2000, 65535, DEEP[..., 0].size).astype(np.uint16).reshape(21, 30)
    plain = DEEP[..., :3]
    product = np.rint(plain * (alpha[..., None] / 65535)).astype(np.uint16)
    content = tiff(np.dstack([product, alpha]), photometric="rgb", extrasamples=["assocalpha"])
    photo = decode(make("a.tif", content))
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, alpha)
    error = np.abs(photo.rgb.astype(int) - plain)
    assert (error <= 0.5 * 65535 / alpha[..., None] + 1).all(), "half a level, divided again"


def test_a_photo_of_10_bits_is_read_with_8_and_says_so(make: Make) -> None:
    deep = PHOTO.astype(np.uint16) * 257
    heif = pillow_heif.from_bytes("RGB;16", PHOTO.shape[1::-1], deep.tobytes())
    file = io.BytesIO()
    heif.save(file, quality=95)
    photo = decode(make("a.heic", file.getvalue()))
    assert near(photo.rgb, PHOTO) < 4
    assert photo.notes == ("Read with 8 bits per channel; the photo has 10.",)
    avif = file_of(PHOTO, "AVIF")
    assert decode(make("a.avif", avif)).notes == ()
    for flags, bits in ((0x0C, 8), (0x4C, 10), (0x6C, 12)):  # nobody here writes such files
        header = avif.replace(b"av1C\x81\0\x0c", b"av1C\x81\0" + bytes([flags]))
        with Image.open(io.BytesIO(avif)) as image:
            assert video_bits(image, header) == bits


def test_deep_files_keep_profile_exif_and_resolution(make: Make) -> None:
    photo = decode(make("a.tif", PHOTO, icc_profile=ICC, exif=exif(), dpi=(240, 240)))
    deep = replace(photo, rgb=photo.rgb.astype(np.uint16) * 257)
    tiff, as_png = reopen(deep), reopen(deep, "png")
    for image in (tiff, as_png):
        assert image.info["icc_profile"] == ICC
        assert "maker" in str(image.getexif()[0x010F])
    assert tiff.info["dpi"] == pytest.approx((240, 240))


@pytest.mark.parametrize(("wanted", "kind"), [("jpeg", "JPEG"), ("webp", "WEBP")])
def test_16_bits_are_rounded_to_8_where_needed_and_said(
    make: Make, wanted: OutputFormat, kind: str
) -> None:
    photo = decode(make("a.png", deep_png(PHOTO.astype(np.uint16) * 257)))
    data, _, notes = encode(photo.rgb, photo.alpha, photo, wanted, 95)
    assert notes == (f"{kind} stores 8 bits per channel; the photo had 16.",)
    written = decode(make("b", data))
    assert written.rgb.dtype == np.uint8
    assert near(written.rgb, PHOTO) < 3


def test_rounding_to_8_bits_is_to_the_nearest(make: Make) -> None:
    levels = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    photo = Photo("a", levels[..., None].repeat(3, 2), "BMP")
    data, _, _ = encode(photo.rgb, None, photo, "same", 95)
    assert np.array_equal(decode(make("a.bmp", data)).rgb[..., 0], np.rint(levels / 257))


# Limits of the formats


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_goes_on_white_where_there_is_none(make: Make, dtype: type) -> None:
    top = np.iinfo(dtype).max
    color: Rgb = np.full((32, 48, 3), top // 4, dtype)
    alpha: Rgb = np.zeros((32, 48), dtype)
    alpha[:, 16:] = top // 2
    alpha[:, 32:] = top
    data, _, notes = encode(color, alpha, Photo("a", color, "PNG", alpha), "jpeg", 100)
    assert any("white" in note for note in notes)
    seen = decode(make("a.jpg", data)).rgb[16, [4, 24, 44], 0].astype(int)
    assert np.abs(seen - (255, 159, 63)).max() <= 3


def test_jpeg_keeps_color_at_full_resolution(make: Make) -> None:
    image: Any = reopen(decode(make("a.jpg", PHOTO)))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_quality_counts(make: Make) -> None:
    photo = decode(make("a.jpg", PHOTO))
    sizes = [len(encode(photo.rgb, None, photo, "same", quality)[0]) for quality in (30, 60, 95)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("shape", [(2, 17000), (17000, 2)])
def test_too_long_for_webp_becomes_png_and_says_so(make: Make, shape: tuple[int, int]) -> None:
    photo = replace(decode(make("a.webp", PHOTO)), rgb=np.full((*shape, 3), 70, np.uint8))
    data, extension, notes = encode(photo.rgb, None, photo, "same", 95)
    assert extension == "png"
    assert notes == ("Saved as PNG: WEBP supports at most 16383 pixels per side.",)
    assert np.array_equal(decode(make("b.png", data)).rgb, photo.rgb)


@pytest.mark.parametrize(("kind", "side"), [("JPEG", 65_501), ("HEIF", 16_385), ("AVIF", 65_536)])
def test_too_long_for_other_formats_becomes_png(kind: str, side: int) -> None:
    pixels = np.zeros((1, side, 3), np.uint8)
    _, extension, notes = encode(pixels, None, Photo("a", pixels, kind), "same", 95)
    assert extension == "png"
    assert notes


@pytest.mark.parametrize(("kind", "side"), [("JPEG", 65_500), ("WEBP", 16_383)])
def test_the_longest_side_a_format_allows_is_written(kind: str, side: int) -> None:
    pixels = np.zeros((1, side, 3), np.uint8)
    data, _, notes = encode(pixels, None, Photo("a", pixels, kind), "same", 95)
    assert notes == ()
    assert Image.open(io.BytesIO(data)).size == (side, 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "HEIF", "AVIF"])
def test_one_pixel_is_a_photo(make: Make, kind: str) -> None:
    pixel = np.full((1, 1, 3), 200, np.uint8)
    data, extension, _ = encode(pixel, None, Photo("a", pixel, kind), "same", 95)
    assert np.abs(decode(make(f"a.{extension}", data)).rgb.astype(int) - 200).max() <= 4


# What is damaged, but not lost


def cut(share: float, **settings: Any) -> bytes:
    content = file_of(PHOTO, "JPEG", quality=95, **settings)
    return content[: int(len(content) * share)]


def test_a_jpeg_that_was_cut_off_gives_what_is_left(make: Make) -> None:
    photo = decode(make("a.jpg", cut(0.5, exif=exif(), icc_profile=ICC, dpi=(300, 300))))
    assert photo.rgb.shape == PHOTO.shape
    assert photo.icc == ICC
    assert photo.dpi == (300, 300)
    assert photo.exif is not None
    (note,) = photo.notes
    assert "cut off" in note
    share = int(note.split("%")[0].split()[-1]) / 100
    rows = int(share * len(PHOTO))
    assert 0.1 < share < 0.9
    assert near(photo.rgb[: rows - 16], PHOTO[: rows - 16]) < 3
    assert (photo.rgb[rows + 16 :] == 128).all()


def test_of_a_progressive_jpeg_that_was_cut_off_only_detail_is_lost(make: Make) -> None:
    photo = decode(make("a.jpg", cut(0.6, progressive=True)))
    assert near(photo.rgb, PHOTO) < 12
    assert [note for note in photo.notes if "detail" in note]


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_jpeg_that_was_cut_off_is_turned_upright(make: Make, orientation: int) -> None:
    content = cut(0.5, exif=exif(orientation))
    photo, flat = decode(make("a.jpg", content)), decode(make("b.jpg", cut(0.5, exif=exif())))
    assert np.array_equal(photo.rgb, np.rot90(flat.rgb, -1 if orientation == 6 else 2))


def test_a_whole_jpeg_is_not_said_to_be_cut_off(make: Make) -> None:
    for pixels in (PHOTO, np.full((40, 40, 3), 128, np.uint8)):
        for progressive in (False, True):
            assert (
                decode(make("a.jpg", file_of(pixels, "JPEG", progressive=progressive))).notes == ()
            )


def test_a_jpeg_without_its_last_bytes_is_whole(make: Make) -> None:
    photo = decode(make("a.jpg", file_of(PHOTO, "JPEG", quality=95)[:-2]))
    assert near(photo.rgb, PHOTO) < 3


# What is refused


def float_tiff(channels: int) -> bytes:
    return tiff(np.zeros((9, 9, channels)[: 2 + (channels > 1)], np.float32))


BAD: dict[str, tuple[bytes, type[PhotoError]]] = {
    "empty.jpg": (b"", UnreadablePhoto),
    "garbage.png": (bytes(range(256)) * 20, UnreadablePhoto),
    "text.jpg": (b"Dear photo,\nhow are you?\n" * 50, UnreadablePhoto),
    "drawing.svg": (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        UnreadablePhoto,
    ),
    "page.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", UnreadablePhoto),
    "no line.jpg": (cut(1)[: cut(1).index(b"\xff\xda") + 14], UnreadablePhoto),
    "header.jpg": (file_of(PHOTO, "JPEG")[:30], UnreadablePhoto),
    "half.png": (file_of(PHOTO, "PNG")[:3000], UnreadablePhoto),
    "header.png": (file_of(PHOTO, "PNG")[:20], UnreadablePhoto),
    "half deep.png": (deep_png(DEEP)[:900], UnreadablePhoto),
    "float gray.tif": (float_tiff(1), UnsupportedPhoto),
    "float color.tif": (float_tiff(3), PhotoError),
    "huge.png": (png((60_000, 60_000), 8, 2, b""), PhotoTooLarge),
    "large.png": (png((20_000, 5_000), 8, 2, b""), PhotoTooLarge),
    "flat.png": (png((2**31 - 1, 1), 8, 2, b""), PhotoTooLarge),
    "deep large.png": (png((20_000, 5_000), 16, 2, b""), PhotoTooLarge),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_by_name(make: Make, name: str) -> None:
    content, kind = BAD[name]
    with pytest.raises(kind) as caught:
        decode(make(name, content))
    sentence = str(caught.value)
    assert f"“{name}”" in sentence
    assert sentence.endswith(".")


def test_the_name_in_a_refusal_is_the_owners(make: Make) -> None:
    source = replace(make("upload-1234.bin", b"nothing"), name="Großmutter <1>.jpg")
    with pytest.raises(UnreadablePhoto, match=r"“Großmutter <1>\.jpg”"):
        decode(source)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePhoto, match=r"“gone\.jpg” cannot be read: No such file"):
        decode(Source.of(tmp_path / "gone.jpg"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(UnreadablePhoto, match=r"“folder\.jpg”"):
        decode(Source.of(tmp_path / "folder.jpg"))


def test_limits_are_kept_to_the_byte_and_the_pixel(make: Make) -> None:
    source = make("a.png", PHOTO)
    size = source.path.stat().st_size
    pixels = PHOTO.shape[0] * PHOTO.shape[1]
    assert decode(source, Limits(max_bytes=size, max_pixels=pixels)).size == (140, 160)
    with pytest.raises(PhotoTooLarge, match=r"“a\.png” is"):
        decode(source, Limits(max_bytes=size - 1))
    with pytest.raises(PhotoTooLarge, match="140 × 160"):
        decode(source, Limits(max_pixels=pixels - 1))


def test_between_pillows_warning_and_error_only_our_limit_counts(make: Make) -> None:
    image = Image.new("1", (10_000, 10_000))  # above Pillow's 89 megapixels
    with pytest.raises(PhotoTooLarge, match="100 megapixels"):
        decode(make("a.png", image))


# Names


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("photo.jpg", "photo"),
        ("two.dots.jpg", "two.dots"),
        ("Großmutter, 1950 – наша 祖母 👵.jpeg", "Großmutter, 1950 – наша 祖母 👵"),
        ("سيدة.png", "سيدة"),
        ("תמונה ישנה.png", "תמונה ישנה"),
        ("../../x", "x"),
        ("..\\..\\x.png", "x"),
        ("/etc/passwd", "passwd"),
        ("C:\\photos\\a.jpg", "a"),
        ("a\0b.jpg", "ab"),
        ("", "photo"),
        ("...", "photo"),
        ("/", "photo"),
    ],
)
def test_the_stem_of_a_name(name: str, stem: str) -> None:
    assert output_stem(name) == stem


@pytest.mark.parametrize(
    "name",
    [
        "CON",
        "con.jpg",
        "aux.txt",
        'a<b>c:"d|e?f*.png',
        "x" * 300 + ".jpg",
        "é" * 300,
        "👵" * 200,
        " .hidden. ",
        "a\nb\tc\x1b[31m.jpg",
        "..",
        "\0",
        "a/../../b/..",
    ],
)
def test_a_stem_is_a_safe_file_name(tmp_path: Path, name: str) -> None:
    stem = output_stem(name)
    assert stem
    assert len(stem.encode()) <= 180
    assert stem.upper() not in ("CON", "AUX", "PRN", "NUL", "..", ".")
    assert not set(stem) & set('<>:"|?*/\\\0\n\t\x1b')
    assert stem == stem.strip(". ")
    (tmp_path / f"{stem}_enhanced.jpg").write_bytes(b"x")
    assert [path.parent for path in tmp_path.iterdir()] == [tmp_path]


# Looking only


def test_the_size_is_read_from_the_header(make: Make) -> None:
    assert size_of(make("a.png", PHOTO).path) == (140, 160)
    assert size_of(make("b.png", b"nothing").path) is None
    assert size_of(make("c.png", png((9_000, 5_000), 8, 2, b"")).path) == (9_000, 5_000)
    assert size_of(Path("nowhere.png")) is None


def test_opencv_reads_what_was_written_deep(make: Make) -> None:
    photo = decode(make("a.png", deep_png(DEEP[..., :3])))
    data, _, _ = encode(photo.rgb, None, photo, "same", 95)
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert seen is not None
    assert np.array_equal(seen[..., ::-1], DEEP[..., :3])
