"""Decodes a file to a photo."""

import logging
from dataclasses import replace
from stat import S_ISREG

import numpy as np
from imagecodecs import TiffError
from PIL import Image, UnidentifiedImageError

from enhance.errors import PhotoError, UnreadablePhoto, UnsupportedPhoto
from enhance.i18n import Sentence, say
from enhance.limits import Limits
from enhance.photos.color import color_space, printed_as_srgb
from enhance.photos.decode_limits import check_bytes, check_pixels, too_costly
from enhance.photos.formats import (
    is_deep,
    is_lossless_webp,
    load,
    open_image,
    pictures,
    read_deep,
    video_bits,
)
from enhance.photos.metadata import read_dpi, read_exif, read_iptc, read_xmp
from enhance.photos.orientation import BY_PILLOW, orientation_of, upright
from enhance.records import Photo, Pixels, Source

log = logging.getLogger(__name__)

_UNDECODED = 128  # the value of pixels for which a JPEG's data is missing
_LINE = 16  # pixels, height of a row of blocks; the first incomplete row contains garbage
_UNUSABLE_PROFILE = say("The color profile cannot be used and was ignored.")
_NOTHING = np.empty((0, 0, 3), np.uint8)  # until the pixels are decoded


def decode(source: Source, limits: Limits = Limits(), preview: int = 0) -> Photo:
    """Read a photo: upright RGB pixels and everything that must survive into the output.

    preview: if not 0, a JPEG may be read at a fraction of its size, faster, but no side shorter
        than this.
    Of an animated or multi-page file only the first picture is read, CMYK and Lab are converted to
    sRGB, and a truncated JPEG is read as far as it goes; `notes` says so. Size limits are checked
    against the file's header before any pixel is decoded.

    Raises UnreadablePhoto, UnsupportedPhoto or PhotoTooLarge, each naming the photo.
    """
    name = source.name
    data = read(source, limits)
    try:
        image = open_image(data)
        check_pixels(name, image.size, limits)
        if preview:
            image.draft(None, (preview, preview))
        return _decode(name, image, data, whole=source.whole)
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise UnreadablePhoto(
            "“{name}” is not a readable image. Send a JPEG, PNG, WebP, TIFF, "
            "BMP, GIF, HEIC or AVIF file.",
            name=name,
        ) from None
    except MemoryError as error:
        raise too_costly(name) from error
    except Exception as error:  # damaged files make the decoders raise almost anything
        log.info("decoding failed: %r", error)
        raise UnreadablePhoto(
            "“{name}” is damaged and cannot be decoded. Export it again from the original.",
            name=name,
        ) from error


def read(source: Source, limits: Limits) -> bytes:
    """The bytes of a photo's file. Raises UnreadablePhoto or PhotoTooLarge."""
    name, path = source.name, source.path
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # a pipe would be waited for, and a device has no end
            raise UnreadablePhoto("“{name}” cannot be read: it is not a regular file.", name=name)
        if status.st_size == 0:
            raise UnreadablePhoto("“{name}” is empty (0 bytes). Send the file again.", name=name)
        check_bytes(name, status.st_size, limits)
        return path.read_bytes()
    except OSError as error:
        raise UnreadablePhoto.because(name, error) from error


def _decode(name: str, image: Image.Image, data: bytes, *, whole: bool) -> Photo:
    notes: list[Sentence] = []
    kind = image.format or ""
    frames = pictures(image, data)
    if frames > 1 and kind != "MPO":
        notes.append(
            say("Only the first of {count} pictures in the file was enhanced.", count=frames)
        )
    if (bits := video_bits(image, data)) > 8:
        notes.append(say("Read with 8 bits per channel; the photo has {bits}.", bits=bits))
    if kind == "PNG":
        image.load()  # in a PNG, metadata may follow the pixels
    orientation = orientation_of(image.getexif())
    icc = image.info.get("icc_profile") or None
    blocks = Photo(
        name=name,
        rgb=_NOTHING,
        format=kind,
        exif=read_exif(image),
        xmp=read_xmp(image),
        iptc=read_iptc(image, data),
        dpi=read_dpi(image),
        lossless=is_lossless_webp(data),
        turned=orientation != 1,
    )
    pixels = _deep_pixels(image, data, notes)
    turned = pixels is None and kind in BY_PILLOW
    if pixels is None:
        if image.mode in ("I", "F") or image.mode.startswith("I;"):
            raise UnsupportedPhoto(
                "“{name}” contains pixel values that no photo has. Export it "
                "with 8 or 16 bits per channel.",
                name=name,
            )
        image, complete = load(image, data)
        if not complete and whole:
            raise UnreadablePhoto(
                "“{name}” is cut off. If it is not being copied, send it again.", name=name
            )
        if not complete:
            notes.append(_what_is_missing(image))
        if image.mode in ("CMYK", "LAB"):
            pixels, icc = _as_srgb(image, icc, notes), None
        else:
            pixels = _pixels(image)
    return _filled(blocks, pixels if turned else upright(pixels, orientation), icc, notes)


def _filled(blocks: Photo, pixels: Pixels, icc: bytes | None, notes: list[Sentence]) -> Photo:
    """The photo with its pixels, (h, w) or (h, w, 1 to 4), and its profile if that is usable."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    alpha = pixels[..., -1] if pixels.shape[2] in (2, 4) else None
    color = pixels if alpha is None else pixels[..., :-1]
    gray = color.shape[2] == 1
    try:
        color_space(icc, gray)
    except ValueError:
        icc = None
        notes.append(_UNUSABLE_PROFILE)
    return replace(
        blocks,
        rgb=np.repeat(color, 3, axis=2) if gray else np.ascontiguousarray(color),
        alpha=None if alpha is None else np.ascontiguousarray(alpha),
        gray=gray,
        icc=icc,
        notes=tuple(notes),
    )


def _deep_pixels(image: Image.Image, data: bytes, notes: list[Sentence]) -> Pixels | None:
    """The pixels if they have 16 bits per channel that can be read."""
    try:
        return read_deep(image, data) if is_deep(image, data) else None
    except (ValueError, TiffError):
        if image.mode not in ("RGB", "RGBA"):
            raise
    notes.append(
        say("Read with 8 bits per channel: the file stores its 16 bits in an unusual way.")
    )
    return None


def _pixels(image: Image.Image) -> Pixels:
    transparent = "transparency" in image.info or "A" in image.getbands()
    gray = image.mode in ("1", "L", "LA", "La")
    mode = ("LA" if transparent else "L") if gray else ("RGBA" if transparent else "RGB")
    return np.asarray(image.convert(mode))


def _as_srgb(image: Image.Image, icc: bytes | None, notes: list[Sentence]) -> Pixels:
    """Convert a CMYK or Lab picture to sRGB."""
    notes.append(
        say("Converted from CMYK to sRGB.")
        if image.mode == "CMYK"
        else say("Converted from Lab to sRGB.")
    )
    try:
        return printed_as_srgb(image, icc)
    except ValueError:
        notes.append(_UNUSABLE_PROFILE)
        return np.asarray(image.convert("RGB"))


def _what_is_missing(image: Image.Image) -> Sentence:
    """A note about a truncated JPEG. Raises ValueError if nothing of it could be read."""
    empty = (np.asarray(image) == _UNDECODED).reshape(image.height, -1).all(axis=1)
    rows = 0 if empty.all() else image.height - int(np.argmin(empty[::-1]))
    if rows <= _LINE and rows < image.height:
        raise ValueError("not even one line of blocks could be read")
    if rows == image.height:
        return say("The file is cut off: some of the picture's detail is missing.")
    share = max(1, 100 * rows // image.height)
    return say(
        "The file is cut off: {share}% of the picture could be read; the rest is gray.",
        share=share,
    )
