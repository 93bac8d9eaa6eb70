"""Files and blocks made by hand, for what no library writes."""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms

from benchmarks.photos import Rgb, astronaut, times
from enhance.pipeline.protocols import Upscaler
from enhance.records import Photo, StopCheck, Upscaled
from enhance.upscaling.interpolation import resized

PHOTO = astronaut()[40:200, 150:290]
DEEP = np.random.default_rng(3).integers(0, 65536, (21, 30, 4)).astype(np.uint16)
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
    xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    exif:GPSLatitude="48,51.5N" photoshop:City='Paris' tiff:Orientation="1">
   <exif:GPSLongitude>2,21.1E</exif:GPSLongitude>
   <ext:LocationShown><rdf:Bag><rdf:li ext:Sublocation="Louvre"/></rdf:Bag></ext:LocationShown>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Mon été</rdf:li></rdf:Alt></dc:title>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()


def file_of(content: Any, kind: str, **settings: Any) -> bytes:
    """An image or its pixels as a file that Pillow writes."""
    image = content if isinstance(content, Image.Image) else Image.fromarray(content)
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def iptc() -> bytes:
    """IPTC data sets with a title, a city and a caption."""
    sets = [(5, b"Title"), (90, b"Paris"), (101, b"France"), (120, "Légende".encode())]
    return b"".join(struct.pack(">BBBH", 0x1C, 2, n, len(text)) + text for n, text in sets)


def exif(orientation: int = 1) -> bytes:
    block = Image.Exif()
    block[0x010F] = "A camera’s maker"
    block[0x0112] = orientation
    block[0x8298] = "© somebody"
    detail = block.get_ifd(0x8769)
    detail[0x9003] = "1999:12:31 23:59:59"
    detail[0x927C] = b"MakerNote\0" + bytes(range(256)) * 3
    block.get_ifd(0x8825)[1] = "N"
    return block.tobytes()


def png(
    size: tuple[int, int], depth: int, kind: int, rows: bytes, *chunks: tuple[bytes, bytes]
) -> bytes:
    """A PNG made by hand, for what no library writes."""

    def chunk(tag: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))

    header = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def deep_png(pixels: Rgb, *chunks: tuple[bytes, bytes]) -> bytes:
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png((pixels.shape[1], pixels.shape[0]), 16, kind, rows, *chunks)


def profile(kind: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """A display profile, version 2, of the given tags."""
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(body), len(tag))
        body += tag.ljust(-(-len(tag) // 4) * 4, b"\0")
    content = struct.pack(">I", len(tags)) + table + body
    head = struct.pack(">I4sI4s4s4s", 128 + len(content), b"lcms", 0x02400000, b"mntr", kind, pcs)
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + content


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def sampled(values: Any) -> bytes:
    """A curve of any number of values in 0..1."""
    levels = np.rint(np.asarray(values) * 65535).astype(">u2").tobytes()
    return b"curv\0\0\0\0" + struct.pack(">I", len(levels) // 2) + levels


def parametric(kind: int, *values: float) -> bytes:
    numbers = struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + numbers


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PRIMARIES = {  # x, y of red, green and blue; white is D65
    "srgb": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "p3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    "adobe": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "prophoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),
}


def rgb_profile(primaries: str, curve: bytes) -> bytes:
    """A matrix profile with these primaries and the same curve for all channels."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in PRIMARIES[primaries]]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    columns = columns * np.linalg.solve(columns, white)
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    d50 = np.array([0.9642, 1.0, 0.8249])
    adapted = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ white)) @ bradford
    red, green, blue = (adapted @ columns).T
    return profile(
        b"RGB ",
        {
            b"rXYZ": xyz(*red),
            b"gXYZ": xyz(*green),
            b"bXYZ": xyz(*blue),
            b"wtpt": xyz(*d50),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def gray_profile(curve: bytes) -> bytes:
    return profile(b"GRAY", {b"wtpt": xyz(0.9642, 1, 0.8249), b"kTRC": curve})


def cmyk_profile() -> bytes:
    """A minimal CMYK profile under which all inks but black print as the same strong blue."""
    white, blue, black = (bytes(lab) for lab in ((255, 128, 128), (80, 200, 20), (0, 128, 128)))
    identity = bytes(range(256))
    table = b"".join(black if inks & 1 else blue if inks else white for inks in range(16))
    lut = (
        b"mft1\0\0\0\0"
        + bytes((4, 3, 2, 0))
        + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
        + identity * 4
        + table
        + identity * 3
    )
    return profile(b"CMYK", {b"A2B0": lut}, pcs=b"Lab ")


_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC


def table_profile(*, back: bool) -> bytes:
    """A profile of tables: red and blue changed places, as Lab colors; with or without a way
    back."""
    grid = np.linspace(0, 1, 9)
    levels = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(1, -1, 3)
    swapped = Image.fromarray(np.rint(levels[..., ::-1] * 255).astype(np.uint8))
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    there = ImageCms.profileToProfile(swapped, srgb, lab, _INTENT, outputMode="LAB")
    colors = Image.fromarray(np.rint(levels * 255).astype(np.uint8), "LAB")
    here = ImageCms.profileToProfile(colors, lab, srgb, _INTENT, outputMode="RGB")
    assert there is not None
    assert here is not None
    # Lab in a profile and in Pillow: a and b lie around 128, and not as signed bytes.
    tags = {b"A2B0": _table(there.tobytes())}
    if back:
        tags[b"B2A0"] = _table(np.ascontiguousarray(np.asarray(here)[..., ::-1]).tobytes())
    return profile(b"RGB ", tags, pcs=b"Lab ")


def _table(values: bytes) -> bytes:
    identity = bytes(range(256)) * 3
    head = b"mft1\0\0\0\0" + bytes((3, 3, 9, 0))
    head += struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return head + identity + values + identity


def lanczos(pixels: Rgb, factor: float) -> Rgb:
    """Interpolated, as photos are where no network enlarges them."""
    return resized(pixels, times(pixels, factor))


def soft(photo: Rgb, times: int) -> Rgb:
    """A photo that holds no more detail than one so many times smaller."""
    small = cv2.resize(photo, None, fx=1 / times, fy=1 / times, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, photo.shape[1::-1], interpolation=cv2.INTER_CUBIC))


def go() -> None:
    """The stop check of work that nobody stops."""


def as_photo(rgb: Rgb) -> Photo:
    """The photo with these pixels, in sRGB."""
    return Photo("photo.png", rgb, "PNG")


def enlarged(
    upscaler: Upscaler,
    photo: Rgb,
    factor: float,
    tile: int = 512,
    stop_check: StopCheck = go,
) -> Upscaled:
    """What an upscaler makes of a photo."""
    return upscaler(as_photo(photo), times(photo, factor), tile, stop_check)
