"""What a file says beside its pixels: kept, or left out on request."""

import io
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, PngImagePlugin

from enhance.options import Metadata, OutputFormat
from enhance.photos import decode, encode
from enhance.photos.location import without_location
from enhance.photos.metadata import photoshop_block
from enhance.records import Photo, Source
from tests.pictures import DEEP, PHOTO, XMP, exif, file_of, iptc
from tests.pictures import SRGB_PROFILE as ICC

ROOT = Path(__file__).parents[1]

ENDINGS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "TIFF": "tif",
    "HEIF": "heic",
    "AVIF": "avif",
}


@pytest.fixture
def read(tmp_path: Any) -> Any:
    def decoded(data: bytes) -> Photo:
        path = tmp_path / "a"
        path.write_bytes(data)
        return decode(Source.of(path))

    return decoded


def full(kind: str, dtype: type = np.uint8) -> Photo:
    """A photo with everything that a file can carry."""
    pixels = PHOTO if dtype is np.uint8 else np.ascontiguousarray(DEEP[..., :3])
    return Photo("a", pixels, kind, icc=ICC, exif=exif(), xmp=XMP, iptc=iptc(), dpi=(240.0, 240.0))


def written(photo: Photo, metadata: Metadata = "keep", wanted: OutputFormat = "same") -> bytes:
    return encode(photo.rgb, photo.alpha, photo, wanted, 95, metadata)[0]


def tags_of(block: bytes | None) -> dict[int, Any]:
    """All tags of an EXIF block, those of its sub-blocks too; where these stand is left out."""
    assert block is not None
    tags = Image.Exif()
    tags.load(block)
    flat = (
        dict(tags) | dict(tags.get_ifd(0x8769)) | {-n: v for n, v in tags.get_ifd(0x8825).items()}
    )
    return {tag: value for tag, value in flat.items() if tag not in (0x8769, 0x8825, 0x0112)}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ENDINGS)
def test_everything_a_format_can_hold_is_kept(read: Any, kind: str, dtype: type) -> None:
    photo = full(kind, dtype)
    data, extension, notes = encode(photo.rgb, None, photo, "same", 95)
    again = read(data)
    assert extension == ENDINGS[kind]
    assert again.icc == ICC
    assert again.xmp == XMP
    assert tags_of(again.exif) == tags_of(photo.exif)
    assert len(tags_of(again.exif)) == 5
    holds_iptc = kind in ("JPEG", "TIFF")
    assert again.iptc == (iptc() if holds_iptc else None)
    assert holds_iptc != ("The IPTC metadata was left out: " + kind + " cannot store it." in notes)
    if kind in ("JPEG", "PNG", "TIFF"):
        assert again.dpi == pytest.approx((240, 240), abs=0.01)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_a_second_generation_is_the_same(read: Any, kind: str) -> None:
    first = read(written(full(kind)))
    second = read(written(first))
    for block in ("icc", "xmp", "iptc", "dpi"):
        assert getattr(second, block) == getattr(first, block)
    assert tags_of(second.exif) == tags_of(first.exif)


@pytest.mark.parametrize("kind", ENDINGS)
def test_other_programs_see_the_blocks_where_they_belong(kind: str) -> None:
    with Image.open(io.BytesIO(written(full(kind)))) as image:
        assert image.info["icc_profile"] == ICC
        assert image.info["xmp"] == XMP
        assert image.getexif().get_ifd(0x8769)[0x9003] == "1999:12:31 23:59:59"
        if kind == "JPEG":
            assert image.info["photoshop"][0x0404] == iptc()  # type: ignore[call-overload]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_has_its_tags_in_order(dtype: type) -> None:
    with tifffile.TiffFile(io.BytesIO(written(full("TIFF", dtype)))) as file:
        codes = [tag.code for tag in file.pages[0].aspage().tags]
    assert codes == sorted(codes)
    assert {700, 33723, 34665, 34675, 34853, 271, 33432} <= set(codes)
    assert len(file.pages) == 1


def test_names_in_any_script_survive_in_tiff(read: Any) -> None:
    name = "Ömer 祖母 👵".encode()
    file = io.BytesIO()
    tifffile.imwrite(file, PHOTO, extratags=[(315, 2, len(name) + 1, name + b"\0", True)])
    photo = read(file.getvalue())
    for kind in ENDINGS:
        again = read(written(replace(photo, format=kind)))
        if kind != "AVIF":  # Pillow writes this block anew
            assert name in again.exif


@pytest.mark.parametrize("order", ["<", ">"])
def test_iptc_in_a_tiff_is_found_in_all_its_forms(read: Any, order: Any) -> None:
    block = iptc().ljust(-(-len(iptc()) // 4) * 4, b"\0")
    longs = np.frombuffer(block, order + "u4").astype(order + "u4")
    tags: list[Any] = [
        (33723, "I", len(longs), longs, True),
        (33723, 7, len(block), block, True),
        (34377, 1, len(photoshop_block(block)), photoshop_block(block), True),
    ]
    for tag in tags:
        file = io.BytesIO()
        tifffile.imwrite(file, PHOTO, byteorder=order, extratags=[tag])
        assert read(file.getvalue()).iptc == block


def test_a_photoshop_block_is_searched_through(read: Any) -> None:
    other = b"8BIM" + struct.pack(">HB3sI", 0x0421, 3, b"abc", 5) + b"12345\0"
    block = b"Photoshop 3.0\0" + other + photoshop_block(iptc())
    segment = b"\xff\xed" + struct.pack(">H", len(block) + 2) + block
    assert read(file_of(PHOTO, "JPEG", extra=segment)).iptc == iptc()
    file = io.BytesIO()
    whole = other + photoshop_block(iptc())
    tifffile.imwrite(file, PHOTO, extratags=[(34377, 1, len(whole), whole, True)])
    assert read(file.getvalue()).iptc == iptc()


def test_blocks_behind_the_pixels_of_a_png_are_found(read: Any) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP, after_idat=True)
    for settings in ({}, {"exif": exif()}):
        assert read(file_of(PHOTO, "PNG", pnginfo=texts, **settings)).xmp == XMP


# Upright


def test_an_orientation_in_xmp_is_reset_too(read: Any) -> None:
    turned = XMP.replace(b'tiff:Orientation="1"', b'tiff:Orientation="6"')
    photo = read(file_of(PHOTO, "JPEG", xmp=turned))
    assert photo.rgb.shape == (140, 160, 3)
    assert photo.xmp == XMP
    assert read(written(photo)).rgb.shape == (140, 160, 3)


def test_the_thumbnail_of_the_old_picture_goes(read: Any) -> None:
    small = file_of(PHOTO[::8, ::8], "JPEG")
    body = bytearray(exif(6).removeprefix(b"Exif\0\0"))
    (start,) = struct.unpack_from(">I", body, 4)
    (count,) = struct.unpack_from(">H", body, start)
    struct.pack_into(">I", body, start + 2 + 12 * count, len(body))
    at = len(body) + 2 + 2 * 12 + 4
    body += struct.pack(">HHHIIHHIII", 2, 0x0201, 4, 1, at, 0x0202, 4, 1, len(small), 0) + small
    source = file_of(PHOTO, "JPEG", exif=b"Exif\0\0" + bytes(body))
    with Image.open(io.BytesIO(source)) as image:
        assert image.getexif().get_ifd(ExifTags.IFD.IFD1)
    with Image.open(io.BytesIO(written(read(source)))) as image:
        assert not image.getexif().get_ifd(ExifTags.IFD.IFD1)
        assert image.getexif().get_ifd(0x8769)[0x9003] == "1999:12:31 23:59:59"


# On request


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ENDINGS)
def test_where_a_photo_was_taken_can_be_left_out(read: Any, kind: str, dtype: type) -> None:
    photo = full(kind, dtype)
    data = written(photo, "no-location")
    again = read(data)
    assert {tag: v for tag, v in tags_of(photo.exif).items() if tag > 0} == tags_of(again.exif)
    for place in (b"48,51.5N", b"2,21.1E", b"Paris", b"Louvre", b"GPS"):
        assert place not in data
        assert place not in again.xmp
    assert again.icc == ICC
    assert "Mon été".encode() in again.xmp
    ElementTree.fromstring(re.sub(rb"<\?xpacket.*?\?>", b"", again.xmp))
    if kind in ("JPEG", "TIFF"):
        assert b"Paris" not in again.iptc
        assert b"France" not in again.iptc
        assert "Légende".encode() in again.iptc


@pytest.mark.parametrize("kind", ENDINGS)
def test_all_metadata_can_be_left_out(read: Any, kind: str) -> None:
    data, _, notes = encode(PHOTO, None, full(kind), "same", 95, "strip")
    again = read(data)
    assert (again.exif, again.xmp, again.iptc) == (None, None, None)
    assert again.icc == ICC, "colors are no metadata"
    assert notes == ()
    for trace in (b"camera", b"Paris", b"1999:12:31", b"xpacket"):
        assert trace not in data


@pytest.mark.parametrize("order", ["<", ">"])
def test_gps_values_are_erased_and_makers_notes_stay_where_they_are(order: str, read: Any) -> None:
    block = Image.Exif()
    block.endian = order
    block[0x010F] = "Maker"
    block.get_ifd(0x8769)[0x927C] = b"MakerNote\0" + bytes(range(256))
    position = block.get_ifd(0x8825)
    position[1], position[2] = "N", (48.0, 51.0, 30.25)
    position[29] = "2001:02:03"
    head = b"Exif\0\0"
    before = block.tobytes()
    photo = replace(full("JPEG"), exif=before)
    after = read(written(photo, "no-location")).exif
    assert len(after) == len(before)
    assert after.index(b"MakerNote") == before.index(b"MakerNote")
    assert b"2001:02:03" in before
    assert b"2001:02:03" not in after
    assert struct.pack(order + "II", 30, 1)[:8] not in after.removeprefix(head)[-60:]
    assert tags_of(after) == {t: v for t, v in tags_of(before).items() if t > 0}


@pytest.mark.parametrize(
    "block",
    [
        {"exif": b"Exif\0\0II*\0\xff\xff\xff\xff GPS 48.85"},
        {"exif": b"Exif\0\0no TIFF 48.85"},
        {"xmp": "GPS 48.85".encode("utf-16")},
        {"xmp": b"<x:xmpmeta><unclosed:GPSLatitude>48.85</x:xmpmeta>"},
        {"iptc": b"\x1c\x02\x5a\xff\xff 48.85"},
        {"iptc": b"nothing 48.85"},
    ],
)
def test_what_cannot_be_understood_is_left_out_rather_than_tell_a_place(
    block: dict[str, bytes],
) -> None:
    photo = Photo("a", PHOTO, "JPEG", **block)  # type: ignore[arg-type]
    assert b"48.85" not in written(photo, "no-location")


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("prefix", ["exif", "e", "my-exif.1"])
def test_places_in_xmp_are_found_under_any_prefix(prefix: str, quote: str) -> None:
    packet = (
        f"<r:Description xmlns:r='rdf' xmlns:keep='keep' "
        f"xmlns:{prefix}='http://ns.adobe.com/exif/1.0/' "
        f"{prefix}:GPSAltitude = {quote}35/1{quote} keep:Title='A > B'>"
        f"<{prefix}:GPSLatitude>48,51N</{prefix}:GPSLatitude>"
        f"<{prefix}:GPSVersionID/><keep:Note>here</keep:Note></r:Description>"
    ).encode()
    data = written(Photo("a", PHOTO, "JPEG", xmp=packet), "no-location")
    for gone in (b"35/1", b"48,51N", b"GPS"):
        assert gone not in data
    for kept in (b'keep:Title="A &gt; B"', b"<keep:Note>here</keep:Note>"):
        assert kept in data


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<b a:City='Rome' k:n='A > B'  a:State = \"x\" />", "<b k:n='A > B'/>"),
        ("<a:City  k:x='>'/>, <a:City/>", ", "),
        ("1<a:City>2<a:State>3</a:State>4<b/></a:City >5<!-- 6 -->", "15<!-- 6 -->"),
        ("<a:Cities/><a:City><![CDATA[</a:City>]]></a:City><?p?>", "<a:Cities/><?p?>"),
        ("Größe<k:City>Köln</k:City>é", "Größeé"),
        ("<b note='a:City=1'/>a:City='1'", "<b note='a:City=1'/>a:City='1'"),
    ],
)
def test_only_places_leave_xmp(before: str, after: str) -> None:
    around = "<?xpacket begin='\ufeff'?><d xmlns:a='a' xmlns:k='k'>{}</d><?xpacket end='w'?> "
    photo = Photo("a", PHOTO, "JPEG", xmp=around.format(before).encode())
    xmp = without_location(photo).xmp
    assert xmp is not None
    assert same_xml(xmp.decode()) == same_xml(around.format(after))
    assert xmp.startswith("<?xpacket begin='\ufeff'?>".encode())
    assert xmp.endswith(b"<?xpacket end='w'?>")


def same_xml(text: str) -> str:
    """XML in its canonical form."""
    return ElementTree.canonicalize(text, with_comments=True)


@pytest.mark.parametrize(
    "xmp",
    [
        "<!DOCTYPE d [<!ENTITY e 'x'>]><d>&e;</d>",
        "<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><d>&e;</d>",
        "<d>&e;</d>",
        "<d><a></d>",
        "<d><undeclared:a/></d>",
        "Rome",
        "",
        "<a>" * 20_000 + "</a>" * 20_000,
        "<d>" + " " * 256_000 + "</d>",
    ],
    ids=lambda xmp: xmp[:40],
)
def test_what_is_no_plain_xmp_goes_as_a_whole(xmp: str) -> None:
    assert not without_location(Photo("a", PHOTO, "JPEG", xmp=xmp.encode())).xmp


def test_metadata_made_to_take_hours_are_answered() -> None:
    code = r"""
import struct
import numpy as np
from enhance.photos.location import without_location
from enhance.records import Photo

photo = lambda **blocks: Photo("a", np.zeros((1, 1, 3), np.uint8), "JPEG", **blocks)
for xmp in (
    b"<x>" + b"<City>" * 40_000,
    b"<x>" + b"<City>" * 19_000 + b"</City>" * 19_000 + b"</x>",
    b"<x>" + b"<City/>" * 35_000 + b"</x>",
    b"<x City='1'" + b" " * 250_000 + b"/>",
    b"<x City='1'" + b" a:" * 80_000 + b"/>",
    b"<x>" + b"<!--" * 60_000,
    b"<x>" + b"<![CDATA[" * 27_000,
    b"<x>" + b"<!---->" * 35_000 + b"</x>",
    b"<x " + b" ".join(b"a%d='1'" % i for i in range(20_000)) + b" City='1'/>",
    b"<x xmlns:a='" + b"u" * 200_000 + b"'>" + b"<a:b/>" * 5_000 + b"</x>",
):
    print(len(without_location(photo(xmp=xmp)).xmp or b""))
sets = b"\x1c\x02\x05\0\0" * 2_000_000
print(len(without_location(photo(iptc=sets + bytes(5))).iptc) == len(sets))

head = b"II*\0" + struct.pack("<I", 8)
gps, count, size = struct.pack("<HHII", 34853, 4, 1, 26), 65_000, 20_000_000
lists = struct.pack("<H", count) + struct.pack("<HHII", 1, 7, size, 28 + 12 * count) * count
erased = without_location(photo(exif=head + b"\1\0" + gps + bytes(4) + lists + b"x" * size)).exif
print(not any(erased[-size:]))
print(without_location(photo(exif=head + struct.pack("<H", 65_000) + gps * 65_000 + bytes(4))).exif)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    kept = 20_000 * len(b" a00000='1'") - 11_110 + len(b"<x/>")
    assert done.stdout.split() == [
        "0",
        "0",
        str(len("<x/>")),
        str(len("<x/>")),
        "0",
        "0",
        "0",
        str(35_000 * len("<!---->") + len("<x></x>")),
        str(kept),
        "0",
        "True",
        "True",
        "None",
    ], done.stderr


def test_the_time_for_places_grows_with_their_number_only() -> None:
    """So many, far more than are accepted, would take several minutes if each was searched for."""
    code = r"""
import numpy as np
from enhance.photos import metadata
from enhance.photos.location import without_location
from enhance.records import Photo

metadata._MOST_XMP = 3_000_000
xmp = b"<x xmlns:p='u'>" + b"<a/>" * 150_000 + b"<p:City/>" * 150_000 + b"</x>"
kept = without_location(Photo("a", np.zeros((1, 1, 3), np.uint8), "JPEG", xmp=xmp)).xmp
print(kept.count(b"<a/>"), kept.count(b"City"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["150000", "0"], done.stderr


# What does not fit


@pytest.mark.parametrize(
    ("field", "name", "most"),
    [("exif", "EXIF", 65_533), ("xmp", "XMP", 65_504), ("iptc", "IPTC", 65_506)],
)
def test_blocks_that_are_too_long_for_jpeg_are_left_out_and_said(
    read: Any, field: str, name: str, most: int
) -> None:
    content = {"exif": exif(), "xmp": XMP, "iptc": iptc()}[field]
    pad = b" " if field == "xmp" else b"\0"
    fits = Photo("a", PHOTO, "JPEG", **{field: content.ljust(most, pad)})  # type: ignore[arg-type]
    data, _, notes = encode(PHOTO, None, fits, "same", 95)
    assert notes == ()
    assert getattr(read(data), field) == getattr(fits, field)
    changed: Any = {field: content.ljust(most + 1, pad)}
    long = replace(fits, **changed)
    data, _, notes = encode(PHOTO, None, long, "same", 95)
    assert notes == (f"The {name} metadata was left out: JPEG stores at most 64 KB of it.",)
    assert getattr(read(data), field) is None


def test_a_lossless_webp_stays_lossless(read: Any) -> None:
    for settings in ({}, {"exif": exif(), "icc_profile": ICC}):
        photo = read(file_of(PHOTO, "WEBP", lossless=True, **settings))
        assert photo.lossless
        assert np.array_equal(read(written(photo)).rgb, PHOTO)
        assert not read(file_of(PHOTO, "WEBP", **settings)).lossless
