"""Files that lie: about their size, or about being a photo."""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import enhance.photos.decoding
from benchmarks.memory import peak
from enhance.errors import PhotoTooLarge, UnreadablePhoto, UnsupportedPhoto
from enhance.i18n import Sentence
from enhance.limits import Limits
from enhance.photos import Decoder, decode, encode, size_of
from enhance.photos.color import SRGB, color_space
from enhance.pipeline.views import picture
from enhance.records import Source
from enhance.web.language import CHINESE
from tests.pictures import PHOTO, file_of, gamma, png, profile, xyz

ROOT = Path(__file__).parents[1]


def gif(width: int, height: int) -> bytes:
    frame = b"," + struct.pack("<4HB", 0, 0, width, height, 0) + b"\x02\x02L\x01\x00;"
    return b"GIF89a" + struct.pack("<2H3B", width, height, 0x80, 0, 0) + bytes(6) + frame


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 60, 0, 0, 54) + head + bytes(6)


def jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose frame header claims another size."""
    content = bytearray(file_of(PHOTO, "JPEG"))
    struct.pack_into(">HH", content, content.index(b"\xff\xc0") + 5, height, width)
    return bytes(content)


def tiff(width: int, height: int, bits: int = 8, channels: int = 3) -> bytes:
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 2 if channels > 2 else 1),
        (273, 4, 1, 8),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, 100),
        (338, 3, 1, 2),
    ][: None if channels == 2 else -1]
    body = struct.pack("<H", len(entries))
    body += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4 + 200)
    return b"II*\0" + struct.pack("<I", 8) + body


def webp(width: int, height: int) -> bytes:
    """A small animation on a canvas that claims another size."""

    def sides(*lengths: int) -> bytes:
        return b"".join(struct.pack("<I", length - 1)[:3] for length in lengths)

    def chunk(tag: bytes, content: bytes) -> bytes:
        return tag + struct.pack("<I", len(content)) + content

    frame = bytes(6) + sides(PHOTO.shape[1], PHOTO.shape[0]) + bytes(4)
    body = b"WEBP" + chunk(b"VP8X", b"\2\0\0\0" + sides(width, height)) + chunk(b"ANIM", bytes(6))
    body += chunk(b"ANMF", frame + file_of(PHOTO, "WEBP")[12:])
    return b"RIFF" + struct.pack("<I", len(body)) + body


def heif(kind: str, width: int, height: int) -> bytes:
    """A small picture whose size property claims another size."""
    content = bytearray(file_of(PHOTO, kind))
    struct.pack_into(">II", content, content.index(b"ispe") + 8, width, height)
    return bytes(content)


def png_bomb(side: int) -> bytes:
    """A valid PNG of nothing, a thousand times smaller than its pixels."""
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(bytes(1 + side * 3)) for _ in range(side)) + squeeze.flush()
    return png((side, side), 8, 2, b"").replace(_idat(zlib.compress(b"")), _idat(rows))


def _idat(body: bytes) -> bytes:
    tail = struct.pack(">I", zlib.crc32(b"IDAT" + body))
    return struct.pack(">I", len(body)) + b"IDAT" + body + tail


TOO_LARGE = {
    "bomb.png": png_bomb(9_000),
    "huge.png": png((2**31 - 1, 2**31 - 1), 8, 2, b""),
    "deep.png": png((60_000, 60_000), 16, 6, b""),
    "huge.gif": gif(65_535, 65_535),
    "huge.bmp": bmp(60_000, 60_000),
    "huge.jpg": jpeg(65_000, 65_000),
    "huge.tif": tiff(60_000, 60_000),
    "deep.tif": tiff(60_000, 60_000, 16),
    "deep gray.tif": tiff(60_000, 60_000, 16, 2),
    "huge.webp": webp(16_383, 16_383),
}
LYING = {
    "jpeg taller than its data.jpg": jpeg(140, 60_000),
    "tiff without its pixels.tif": tiff(4_000, 4_000),
    "deep tiff without its pixels.tif": tiff(4_000, 4_000, 16),
    "deep gray tiff without its pixels.tif": tiff(4_000, 4_000, 16, 2),
    "webp on a larger canvas.webp": webp(3_000, 3_000),
    "png without its pixels.png": png((4_000, 4_000), 8, 2, b"\0" * 100),
    "gif without its pixels.gif": gif(4_000, 4_000),
    "bmp without its pixels.bmp": bmp(4_000, 4_000),
}
NO_PHOTOS = {
    "page.jpg": b"<!DOCTYPE html><html><img src=x onerror=alert(1)></html>",
    "drawing.png": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "paper.jpg": b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n%%EOF",
    "archive.png": b"PK\3\4" + bytes(60),
    "program.tif": b"MZ\x90\0" + bytes(200),
    "script.bmp": b"#!/bin/sh\nrm -rf /\n",
    "icon.jpg": file_of(PHOTO, "ICO", sizes=[(16, 16)]),
    "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "half a head.tif": b"II*\0\xff\xff\xff\xff",
    "a tiff of floats.tif": b"",
}
_floats = io.BytesIO()
tifffile.imwrite(_floats, np.zeros((9, 9, 2), np.float32), planarconfig="contig")
NO_PHOTOS["a tiff of floats.tif"] = _floats.getvalue()


def test_too_large_photos_are_refused_from_their_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(*_: object) -> None:
        raise AssertionError("a decoder was reached")

    for decoder in ("load", "read_deep"):
        monkeypatch.setattr(enhance.photos.decoding, decoder, reached)
    for name, content in TOO_LARGE.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(PhotoTooLarge, match=f"“{name}” has .* limit is 64 megapixels"):
            decode(Source.of(path))


def test_lying_files_take_no_memory(tmp_path: Path) -> None:
    for name, content in (TOO_LARGE | NO_PHOTOS).items():
        (tmp_path / name).write_bytes(content)
    code = """
import json, resource, sys
from pathlib import Path
from enhance.errors import PhotoError
from enhance.photos import decode, size_of
from enhance.records import Source

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

reasons, before = {}, peak()
for path in sorted(Path(sys.argv[1]).iterdir()):
    size_of(path)
    try:
        decode(Source.of(path))
    except PhotoError as error:
        reasons[path.name] = type(error).__name__
print(json.dumps({"reasons": reasons, "megabytes": peak() - before}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    seen = json.loads(done.stdout)
    assert seen["reasons"] == dict.fromkeys(TOO_LARGE, "PhotoTooLarge") | dict.fromkeys(
        NO_PHOTOS, "UnreadablePhoto"
    )
    assert seen["megabytes"] < 100


@pytest.mark.parametrize("name", NO_PHOTOS)
def test_what_is_no_photo_is_refused_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(NO_PHOTOS[name])
    with pytest.raises(UnreadablePhoto, match=f"“{name}” is (not a readable image|damaged)"):
        decode(Source.of(path))
    assert size_of(path) is None


@pytest.mark.parametrize("name", LYING)
def test_a_header_that_lies_is_refused_or_believed_but_never_overrun(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(LYING[name])
    claimed = size_of(path)
    try:
        photo = decode(Source.of(path), Limits(max_pixels=16_000_000))
    except UnreadablePhoto as error:
        assert f"“{name}”" in str(error)
    else:
        assert photo.size == claimed


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_size_property_that_lies_gives_no_larger_photo(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.heic"
    path.write_bytes(heif(kind, 60_000, 60_000))
    with pytest.raises((PhotoTooLarge, UnreadablePhoto), match=r"“a\.heic”"):
        decode(Source.of(path))


@pytest.mark.parametrize(
    "hidden",
    [
        b"<script>alert(1)</script>",
        b"%PDF-1.7 hidden %%EOF",
        b"PK\3\4 hidden archive PK\5\6" + bytes(18),
        b"<?php system('id'); ?>",
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_what_is_hidden_behind_a_photo_does_not_come_out(
    tmp_path: Path, kind: str, hidden: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(file_of(PHOTO, kind) + hidden)
    photo = decode(Source.of(path))
    data, _, _ = encode(photo.rgb, None, photo, "same", 95)
    assert hidden not in data
    assert hidden not in picture(photo.rgb, photo)


def test_texts_and_comments_of_a_file_do_not_come_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(PHOTO).save(path, comment=b"<script>alert(1)</script>")
    photo = decode(Source.of(path))
    assert b"script" not in encode(photo.rgb, None, photo, "same", 95)[0]


@pytest.mark.parametrize("field", [0x0112, 0x8769, 0x8825, 0x010F])
@pytest.mark.parametrize("value", [b"\xff" * 4, bytes(4), b"\x08\0\0\0"])
def test_exif_that_points_anywhere_does_no_harm(tmp_path: Path, field: int, value: bytes) -> None:
    for kind, count in ((3, 1), (4, 1), (2, 2**31), (5, 2**32 - 1), (99, 7)):
        entry = struct.pack("<HHI", field, kind, count) + value
        block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
        path = tmp_path / "a.jpg"
        Image.fromarray(PHOTO).save(path, exif=block)
        photo = decode(Source.of(path))
        assert photo.rgb.size == PHOTO.size
        for metadata in ("keep", "no-location", "strip"):
            data, _, _ = encode(photo.rgb, None, photo, "same", 95, metadata)  # type: ignore[arg-type]
            assert Image.open(io.BytesIO(data)).size[0] in PHOTO.shape


# Files that would take hours or gigabytes


def ifd(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


def shared_tags(count: int, size: int) -> bytes:
    """An EXIF block whose tags all have the same bytes as their value."""
    start = 8 + 6 + 12 * count
    tags = [(1000 + i, 7, size, start) for i in range(count)]
    return b"II*\0" + struct.pack("<I", 8) + ifd(*tags) + bytes(size)


def gray_tiff(*more: tuple[int, int, int, int], bits: int = 8, compression: int = 1) -> bytes:
    """8 × 8 pixels that follow the header, and further tags, each unless it stands there."""
    entries = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, bits), (259, 3, 1, compression)]
    entries += [(262, 3, 1, 1), (277, 3, 1, 1)]
    if not {273, 324} & {tag for tag, *_ in more}:
        entries += [(273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 8 * bits)]
    return b"II*\0" + struct.pack("<I", 8 + 128) + bytes(128) + ifd(*entries, *more)


def pages(count: int) -> bytes:
    """A TIFF of many pictures, all with the same pixels."""
    one = len(gray_tiff()) - 136
    head = gray_tiff()[:136]
    body = gray_tiff()[136:-4]
    following = [136 + one * (i + 1) for i in range(count - 1)] + [0]
    return head + b"".join(body + struct.pack("<I", at) for at in following)


def scans(count: int, side: int = 256) -> bytes:
    """A gray progressive JPEG of many scans that change nothing; side: at most 1024 pixels."""

    def part(marker: int, content: bytes) -> bytes:
        return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content

    out = b"\xff\xd8" + part(0xDB, b"\0" + b"\1" * 64)
    out += part(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    out += part(0xC4, b"\0\1" + bytes(15) + b"\0") + part(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    out += part(0xDA, b"\1\1\0\0\0\0") + bytes(side * side // 512)
    # One run over all blocks: fourteen bits say how many more than 16384 it may be.
    return out + (part(0xDA, b"\1\1\0\1\x3f\0") + b"\0\1") * (count - 1) + b"\xff\xd9"


def segments(count: int, kind: int, content: bytes) -> bytes:
    one = b"\xff" + bytes([kind]) + struct.pack(">H", len(content) + 2) + content
    photo = file_of(PHOTO, "JPEG")
    return photo[:2] + one * count + photo[2:]


def gif_frames(count: int) -> bytes:
    frame = b"," + struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return gif(8, 8)[:19] + frame * count + b";"


def gif_comment(blocks: int) -> bytes:
    return gif(8, 8)[:19] + b"!\xfe" + b"\1a" * blocks + b"\0" + gif_frames(1)[19:]


def extents(kind: str, count: int) -> bytes:
    """A picture whose largest item is said to be made of the same bytes, over and over."""
    content = file_of(PHOTO, kind)
    start = content.index(b"iloc") - 4
    (size,) = struct.unpack_from(">I", content, start)
    box = struct.pack(">B3xHH", 0, 0x4400, 1)
    box += struct.pack(">HHH", 1, 0, count) + struct.pack(">II", 400, 10_000) * count
    box = struct.pack(">I", len(box) + 8) + b"iloc" + box
    whole = bytearray(content[:start] + box + content[start + size :])
    meta = whole.index(b"meta") - 4
    (old,) = struct.unpack_from(">I", whole, meta)
    struct.pack_into(">I", whole, meta, old + len(box) - size)
    return bytes(whole)


_two_headers = png(
    (8, 8), 16, 2, bytes(49 * 8), (b"IHDR", struct.pack(">IIBBBBB", 9, 9, 16, 2, 0, 0, 0))
)
_squeezed = zlib.compress(bytes(1_000_000))
# More than a photo of their size may take, of time or of memory.
COSTLY = {
    "scans.jpg": scans(100_000, 1024),
    "shared tags.tif": shared_tags(2_000, 1_000_000),
    "shared tags.png": png((8, 8), 8, 0, bytes(72), (b"eXIf", shared_tags(2_000, 1_000_000))),
    "shared tags.webp": file_of(PHOTO, "WEBP", exif=shared_tags(2_000, 1_000_000)),
    "comment.gif": gif_comment(1_500_000),
    "profiles.png": png((8, 8), 8, 0, bytes(72), *[(b"iCCP", b"a\0\0" + _squeezed)] * 4_000),
}
# Built in the same ways, but no burden: each is read, or refused as damaged or too large.
ODD = {
    "scans.jpg": scans(5_000),
    "segments.jpg": segments(20_000, 0xE5, b""),
    "exif in pieces.jpg": segments(2_000, 0xE1, b"Exif\0\0a"),
    "shared tags.avif": file_of(PHOTO, "AVIF", exif=shared_tags(500, 40_000)),
    "shared tags.heic": file_of(PHOTO, "HEIF", exif=shared_tags(500, 40_000)),
    "two sizes.tif": gray_tiff((256, 4, 1, 45_000), (257, 4, 1, 45_000), bits=16),
    "two sizes.png": _two_headers,
    "large tiles.tif": gray_tiff(
        (322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 8), (325, 4, 1, 64)
    ),
    "pages.tif": pages(20_000),
    "frames.gif": gif_frames(20_000),
    "comment.gif": gif_comment(20_000),
    "chunks.png": png((8, 8), 8, 0, bytes(72), *[(b"teSt", b"")] * 150_000),
    "profiles.png": png((8, 8), 8, 0, bytes(72), *[(b"iCCP", b"a\0\0" + _squeezed)] * 200),
    "pieces.heic": extents("HEIF", 30_000),
    "pieces.avif": extents("AVIF", 30_000),
}


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with closing(Decoder(1)) as one:
        yield one


def highest(decoder: Decoder) -> float:
    """The most megabytes that the worker at hand has had resident."""
    worker = decoder._free.queue[0]
    return peak(worker.pid) if worker else 0


@pytest.mark.parametrize("name", COSTLY)
def test_what_would_take_hours_or_gigabytes_is_refused(
    tmp_path: Path, decoder: Decoder, name: str
) -> None:
    source = Source.of(tmp_path / name)
    source.path.write_bytes(COSTLY[name])
    with pytest.raises(UnsupportedPhoto, match=f"“{name}” was not opened: .* time or") as caught:
        decoder(source, Limits())
    assert isinstance(caught.value.sentence, Sentence)
    assert caught.value.sentence.template in CHINESE
    decoder.size_of(source.path)  # ends, whatever it says


@pytest.mark.parametrize("name", ODD)
def test_odd_files_of_the_same_kinds_are_read_or_refused_in_little_memory(
    tmp_path: Path, decoder: Decoder, name: str
) -> None:
    source = Source.of(tmp_path / name)
    source.path.write_bytes(ODD[name])
    try:
        assert decoder(source, Limits()).size == decoder.size_of(source.path)
    except (PhotoTooLarge, UnreadablePhoto) as error:
        assert f"“{name}”" in str(error) and "crashes" not in str(error)
    assert highest(decoder) < 500


@pytest.mark.parametrize(
    ("name", "content", "size"),
    [
        ("a.jpg", scans(90), (256, 256)),
        ("a.jpg", segments(300, 0xE5, b"x" * 100), (140, 160)),
        ("a.tif", gray_tiff(), (8, 8)),
        ("a.tif", pages(2_000), (8, 8)),
        ("a.gif", gif_frames(2_000), (8, 8)),
        ("a.gif", gif_comment(1_000), (8, 8)),
        ("a.png", png((8, 8), 8, 0, bytes(72), *[(b"teSt", b"")] * 2_000), (8, 8)),
        ("a.png", png((8, 8), 8, 0, bytes(72), (b"eXIf", shared_tags(40, 1_000))), (8, 8)),
    ],
)
def test_what_is_only_unusual_is_read(
    tmp_path: Path, name: str, content: bytes, size: tuple[int, int]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert decode(Source.of(path)).size == size_of(path) == size


@pytest.mark.parametrize(("content", "count"), [(pages(2_000), 2_000), (gif_frames(30), 30)])
def test_pictures_are_counted(tmp_path: Path, content: bytes, count: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    note = f"Only the first of {count} pictures in the file was enhanced."
    assert decode(Source.of(path)).notes == (note,)


def test_pixels_that_unpack_to_gigabytes_are_not_unpacked(tmp_path: Path, decoder: Decoder) -> None:
    squeeze = zlib.compressobj(9)
    block = squeeze.compress(bytes(10_000_000)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    bomb = block + block[2:] * 300 + squeeze.flush()  # each without the first one's head
    start = len(gray_tiff((273, 4, 1, 0), (278, 4, 1, 8), (279, 4, 1, 0), bits=16))
    path = tmp_path / "a.tif"
    strip = [(273, 4, 1, start), (278, 4, 1, 8), (279, 4, 1, len(bomb))]
    path.write_bytes(gray_tiff(*strip, bits=16, compression=8) + bomb)
    assert decoder(Source.of(path), Limits()).size == (8, 8)
    assert highest(decoder) < 500


def test_a_deep_tiff_that_another_decoder_would_see_larger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(gray_tiff((32997, 4, 1, 1_000_000), bits=16))  # so deep a picture
    with pytest.raises(UnreadablePhoto, match=r"“a\.tif” is damaged"):
        decode(Source.of(path))


def endless_profile(tags: dict[bytes, bytes]) -> bytes:
    """A profile whose preferred tags are a program of a million steps."""
    step = b"matf\0\0\0\0" + struct.pack(">HH12f", 3, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    count = 1_000_000
    steps = b"mpet\0\0\0\0" + struct.pack(">HHI", 3, 3, count)
    steps += struct.pack(">II", 16 + 8 * count, len(step)) * count + step
    icc = bytearray(profile(b"RGB ", {b"D2B1": steps, b"D2B0": steps, **tags}))
    icc[8:12] = b"\x04\x30\0\0"
    return bytes(icc)


def test_a_profile_of_nothing_but_endless_steps_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    icc = endless_profile({b"A2B0": b""})
    path.write_bytes(file_of(PHOTO, "WEBP", icc_profile=icc))
    photo = decode(Source.of(path))
    assert photo.icc is None
    assert photo.notes == ("The color profile cannot be used and was ignored.",)


def test_of_a_profile_of_endless_steps_the_rest_is_used() -> None:
    curve = {name: gamma(1.8) for name in (b"rTRC", b"gTRC", b"bTRC")}
    colors = {b"rXYZ": (0.61, 0.31, 0.02), b"gXYZ": (0.21, 0.63, 0.06), b"bXYZ": (0.15, 0.06, 0.74)}
    tags = curve | {name: xyz(*values) for name, values in colors.items()}
    space = color_space(endless_profile(tags))
    assert space is not SRGB
    pixels = np.random.default_rng(0).random((300, 300, 3), np.float32)
    plain = color_space(profile(b"RGB ", tags))
    assert np.abs(space.to_srgb(pixels) - plain.to_srgb(pixels)).max() < 1e-4
