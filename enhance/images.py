"""Photos in and out of files: decode to pixels, encode back, and carry what is not pixels.

Pillow (with pillow-heif) reads and writes; OpenCV and tifffile step in where a file has 16 bits a
channel, which Pillow would cut to 8.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pillow_heif
import tifffile
from pathvalidate import sanitize_filename
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from enhance.errors import PhotoError, PhotoTooLarge, UnreadablePhoto, UnsupportedPhoto
from enhance.records import Limits, OutputFormat, Photo, Pixels, Source

log = logging.getLogger(__name__)

Image.init()  # every plugin: opening by a list of formats needs them registered
pillow_heif.register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # `Limits` decides, from the header, before a pixel is decoded

READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF")
"""Pillow names of the formats that are decoded (JPEG covers MPO); all else is refused unopened."""

EXTENSIONS = [
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".apng",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".heic",
    ".heif",
    ".hif",
    ".avif",
]
"""File name endings of those formats, for file pickers and folder walks."""

_ORIENTATION = 0x0112
_JPEG_EXIF = 65_533  # bytes that fit into one segment
_KEPT_TIFF_TAGS = (270, 271, 272, 305, 306, 315, 33432, 34665, 34853)  # camera, dates, author, GPS


@dataclass(frozen=True)
class _Writer:
    """What an output format can hold. `side` is its largest width or height."""

    extension: str
    side: int
    alpha: bool = True
    deep: bool = False


_WRITERS = {
    "JPEG": _Writer("jpg", 65_500, alpha=False),
    "PNG": _Writer("png", 2**31 - 1, deep=True),
    "WEBP": _Writer("webp", 16_383),
    "TIFF": _Writer("tif", 2**31 - 1, deep=True),
    "BMP": _Writer("bmp", 2**31 - 1, alpha=False),
    "HEIF": _Writer("heic", 16_384),
    "AVIF": _Writer("avif", 65_535),
}
# What "same" means for formats that are not written as such.
_SAME = {"MPO": "JPEG", "GIF": "PNG"}


def decode(source: Source, limits: Limits = Limits()) -> Photo:
    """Read a photo: upright RGB pixels and everything that must survive into the output.

    Animated and multi-page files give their first picture, CMYK and Lab become sRGB; `notes` says
    so. Size limits are checked against the file's header, before any pixel is decoded.

    Raises UnreadablePhoto, UnsupportedPhoto or PhotoTooLarge, each naming the photo.
    """
    name = source.name
    data = _read(source, limits)
    try:
        image = Image.open(io.BytesIO(data), formats=READABLE)
        _check_size(name, image, limits)
        return _decode(name, image, data)
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise UnreadablePhoto(
            f"“{name}” is not an image that can be read. Send a JPEG, PNG, WebP, TIFF, BMP, "
            "GIF, HEIC or AVIF file."
        ) from None
    except Exception as error:  # damaged files make the decoders raise almost anything
        log.info("decoding failed: %r", error)
        raise UnreadablePhoto(
            f"“{name}” is damaged and cannot be decoded. Export it again from the original."
        ) from error


def encode(
    canvas: Pixels, alpha: Pixels | None, photo: Photo, wanted: OutputFormat, quality: int
) -> tuple[bytes, str, tuple[str, ...]]:
    """Write pixels as a file that carries the photo's profile, EXIF and resolution.

    canvas: RGB (height, width, 3), uint8 or uint16; alpha: (height, width) of that dtype or None.
    Returns the bytes, the file name's extension and notes about what the format could not hold.
    """
    notes: list[str] = []
    kind = _SAME.get(photo.format, photo.format) if wanted == "same" else wanted.upper()
    if wanted == "same" and photo.format == "GIF":
        notes.append("Saved as PNG: GIF holds only 256 colours.")
    height, width = canvas.shape[:2]
    if max(width, height) > _WRITERS[kind].side:
        notes.append(f"Saved as PNG: {kind} holds at most {_WRITERS[kind].side} pixels a side.")
        kind = "PNG"
    writer = _WRITERS[kind]
    if canvas.dtype == np.uint16 and not writer.deep:
        canvas, alpha = _to_8_bit(canvas), None if alpha is None else _to_8_bit(alpha)
        notes.append(f"{kind} holds 8 bits a channel, the photo had 16.")
    if alpha is not None and not writer.alpha:
        canvas, alpha = _on_white(canvas, alpha), None
        notes.append(f"{kind} holds no transparency: put on white.")
    if kind == "JPEG" and photo.exif and len(photo.exif) > _JPEG_EXIF:
        photo = replace(photo, exif=None)
        notes.append("The EXIF block is left out: JPEG holds at most 64 KB of it.")
    data = _write(kind, _channels(canvas, alpha, photo.grey), photo, quality)
    return data, writer.extension, tuple(notes)


def output_stem(name: str) -> str:
    """The photo's name without folders and extension, safe as a file name on every system."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem = Path(base.replace("\0", "")).stem
    stem = stem.encode("utf-8", "replace").decode()  # names that are no text at all
    safe = str(sanitize_filename(stem, platform="universal")).strip(". ")
    while len(safe.encode()) > 180:  # leaves room for a suffix within the usual 255 bytes
        safe = safe[:-1]
    return safe or "photo"


def _read(source: Source, limits: Limits) -> bytes:
    name = source.name
    try:
        size = source.path.stat().st_size
        if size == 0:
            raise UnreadablePhoto(f"“{name}” is empty (0 bytes). Send the file again.")
        if size > limits.max_bytes:
            raise PhotoTooLarge(
                f"“{name}” is {size / 1e6:.0f} MB; the limit is {limits.max_bytes / 1e6:.0f} MB."
            )
        return source.path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadablePhoto(f"“{name}” cannot be read: {reason}.") from error


def _check_size(name: str, image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PhotoTooLarge(
            f"“{name}” has {width} × {height} pixels ({width * height / 1e6:.0f} megapixels); the "
            f"limit is {limits.max_pixels / 1e6:.0f} megapixels. Send a smaller version."
        )


def _decode(name: str, image: Image.Image, data: bytes) -> Photo:
    notes: list[str] = []
    kind = image.format or ""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and kind != "MPO":
        notes.append(f"Only the first of {frames} pictures in the file was enhanced.")
    icc = image.info.get("icc_profile") or None
    orientation = image.getexif().get(_ORIENTATION, 1)
    exif = _upright_exif(image)
    if _is_deep(image, data):
        pixels = _decode_16_bit(data)
        if kind == "TIFF":
            orientation = 1  # OpenCV has turned it already
    else:
        if image.mode in ("I", "F"):
            raise UnsupportedPhoto(
                f"“{name}” holds 32-bit values, which are not a photo's. Export it as 8 or 16 bits."
            )
        if image.mode in ("CMYK", "LAB"):
            notes.append(f"Converted from {image.mode.title().replace('Cmyk', 'CMYK')} to sRGB.")
            image, icc = _to_srgb(image, icc), None
        transparent = "transparency" in image.info or "A" in image.getbands()
        grey = image.mode in ("1", "L", "LA", "La")
        mode = ("LA" if transparent else "L") if grey else ("RGBA" if transparent else "RGB")
        pixels = np.asarray(image.convert(mode))
    pixels = _orient(pixels, orientation)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    channels = pixels.shape[2]
    colour, alpha = (pixels[..., :-1], pixels[..., -1]) if channels in (2, 4) else (pixels, None)
    grey = colour.shape[2] == 1
    return Photo(
        name=name,
        rgb=np.repeat(colour, 3, axis=2) if grey else np.ascontiguousarray(colour),
        alpha=None if alpha is None else np.ascontiguousarray(alpha),
        grey=grey,
        format=kind,
        icc=icc,
        exif=exif,
        dpi=_dpi(image),
        notes=tuple(notes),
    )


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether the file holds 16 bits a channel, whatever Pillow's mode says."""
    if image.format == "PNG":
        return data[24] == 16  # the bit depth in the IHDR chunk
    if image.format == "TIFF":
        bits = cast(Any, image).tag_v2.get(258, (1,))
        return set(bits) == {16} and image.mode != "CMYK"
    return image.mode.startswith("I;16")


def _decode_16_bit(data: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("not a 16-bit picture")
    if pixels.ndim == 3:
        order = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
        pixels = cv2.cvtColor(pixels, order[pixels.shape[2]])
    return cast(Pixels, pixels)


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """A CMYK or Lab picture as sRGB, through its profile where it has one."""
    try:
        if image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif icc:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        else:
            return image.convert("RGB")
        target = ImageCms.createProfile("sRGB")
        return cast(Image.Image, ImageCms.profileToProfile(image, source, target, outputMode="RGB"))
    except (ImageCms.PyCMSError, OSError):
        log.info("colour profile unusable, converting without it")
        return image.convert("RGB")


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a),
}


def _orient(pixels: Pixels, orientation: int) -> Pixels:
    """Turn the pixels the way EXIF orientation 1–8 says they should be seen."""
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def _upright_exif(image: Image.Image) -> bytes | None:
    """The EXIF block with orientation 1, otherwise byte for byte (maker notes break when moved)."""
    raw = image.info.get("exif")
    if isinstance(raw, bytes) and raw:
        body = raw.removeprefix(b"Exif\0\0")
        patched = _patch_orientation(body)
        if patched is not None:
            return b"Exif\0\0" + patched
    exif = image.getexif()
    if image.format == "TIFF":  # here the tags are the file's own: keep those that are not layout
        for tag in set(exif) - set(_KEPT_TIFF_TAGS):
            del exif[tag]
    elif _ORIENTATION in exif:
        exif[_ORIENTATION] = 1
    return exif.tobytes() if len(exif) else None


def _patch_orientation(body: bytes) -> bytes | None:
    """`body` (a TIFF structure) with its orientation set to 1; None when it cannot be walked."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(body[:4])
    if order is None:
        return None
    try:
        (ifd,) = struct.unpack_from(order + "I", body, 4)
        (count,) = struct.unpack_from(order + "H", body, ifd)
        for entry in range(ifd + 2, ifd + 2 + 12 * count, 12):
            tag, kind, _ = struct.unpack_from(order + "HHI", body, entry)
            if tag == _ORIENTATION and kind == 3:
                patched = bytearray(body)
                struct.pack_into(order + "H", patched, entry + 8, 1)
                return bytes(patched)
    except struct.error:
        return None
    return body


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        x, y = (float(v) for v in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 <= x <= 1e5 and 1 <= y <= 1e5 else None


def _to_8_bit(pixels: Pixels) -> Pixels:
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(canvas: Pixels, alpha: Pixels) -> Pixels:
    top = np.iinfo(canvas.dtype).max
    share = (alpha.astype(np.float32) / top)[..., None]
    return np.rint(canvas * share + top * (1 - share)).astype(canvas.dtype)


def _channels(canvas: Pixels, alpha: Pixels | None, grey: bool) -> Pixels:
    """Colour or grey, with or without alpha, as one array (height, width[, channels])."""
    colour: Pixels = canvas
    if grey:
        colour = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
    if alpha is None:
        return colour
    return np.dstack([colour, alpha])


def _write(kind: str, pixels: Pixels, photo: Photo, quality: int) -> bytes:
    if pixels.dtype == np.uint16:
        return (_write_16_bit_png if kind == "PNG" else _write_16_bit_tiff)(pixels, photo)
    by_kind: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": quality, "subsampling": 0},
        "PNG": {"compress_level": 3},
        "WEBP": {"quality": quality, "method": 4, "exact": True},
        "TIFF": {"compression": "tiff_adobe_deflate"},
        "BMP": {},
        "HEIF": {"quality": quality, "chroma": 444},
        "AVIF": {"quality": quality, "subsampling": "4:4:4"},
    }
    settings = by_kind[kind]
    if photo.icc:
        settings["icc_profile"] = photo.icc
    if photo.exif and kind != "BMP":
        settings["exif"] = photo.exif
        if kind == "TIFF" and _has_sub_blocks(photo.exif):
            del settings["compression"]  # with it Pillow writes through libtiff, which cannot
    if photo.dpi and kind in ("JPEG", "PNG", "TIFF", "BMP"):
        settings["dpi"] = photo.dpi
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **settings)
    return file.getvalue()


def _has_sub_blocks(exif: bytes) -> bool:
    """Whether an EXIF block has camera settings or a position, which TIFF keeps as sub-blocks."""
    tags = Image.Exif()
    tags.load(exif)
    return ExifTags.IFD.Exif in tags or ExifTags.IFD.GPSInfo in tags


def _bgr(pixels: Pixels) -> Pixels:
    """OpenCV's channel order; grey with alpha becomes colour, which OpenCV can write."""
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    order = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    return cast(Pixels, cv2.cvtColor(pixels, order))


def _write_16_bit_png(pixels: Pixels, photo: Photo) -> bytes:
    blocks = {
        cv2.IMAGE_METADATA_EXIF: photo.exif and photo.exif.removeprefix(b"Exif\0\0"),
        cv2.IMAGE_METADATA_ICCP: photo.icc,
    }
    kept = {kind: np.frombuffer(block, np.uint8) for kind, block in blocks.items() if block}
    ok, data = cv2.imencodeWithMetadata(".png", _bgr(pixels), list(kept), list(kept.values()))
    if not ok:
        raise OSError("OpenCV could not write the PNG")
    return data.tobytes()


def _write_16_bit_tiff(pixels: Pixels, photo: Photo) -> bytes:
    grey = pixels.ndim == 2 or pixels.shape[2] == 2
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        pixels,
        photometric="minisblack" if grey else "rgb",
        planarconfig=None if pixels.ndim == 2 else "contig",
        extrasamples=["unassalpha"] if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else None,
        compression="zlib",
        iccprofile=photo.icc,
        resolution=photo.dpi,
        resolutionunit="INCH" if photo.dpi else None,
        metadata=None,
        software=False,
        extratags=_tiff_tags(photo.exif),
    )
    return file.getvalue()


def _tiff_tags(exif: bytes | None) -> list[tuple[int, str, int, str, bool]]:
    """The text tags of an EXIF block (camera, dates, author) in tifffile's form."""
    if not exif:
        return []
    tags = Image.Exif()
    tags.load(exif)
    return [
        (tag, "s", 0, value, True)
        for tag, value in tags.items()
        if tag in _KEPT_TIFF_TAGS and isinstance(value, str)
    ]


def browser_shows(path: Path) -> bool:
    """Whether every current browser can display a file of this name."""
    return path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif")


def preview(data: bytes, long_side: int = 2048) -> bytes:
    """An image file as a JPEG of at most `long_side` pixels, upright, for looking at only."""
    with Image.open(io.BytesIO(data), formats=READABLE) as image:
        if _is_deep(image, data):
            upright = Image.fromarray(_to_8_bit(_decode_16_bit(data)))
        else:
            image.draft("RGB", (long_side, long_side))
            upright = ImageOps.exif_transpose(image)
        upright.thumbnail((long_side, long_side))
        file = io.BytesIO()
        upright.convert("RGB").save(file, "JPEG", quality=88)
        return file.getvalue()


def size_of(path: Path) -> tuple[int, int] | None:
    """(width, height) from the file's header, or None when it is no readable image."""
    try:
        with Image.open(path, formats=READABLE) as image:
            return image.size
    except Exception:  # as in `decode`
        return None
