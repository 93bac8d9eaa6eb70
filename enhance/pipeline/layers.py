"""Stores a finished photo as layers: the picture without its restored faces, and each face.

From the layers, the strength of faces and background can be changed and each face switched off and
on without running a model. They are stored as a checksum followed by an npz archive without
pickles, which holds pixels losslessly, most as JPEG XL. An interpolated background is not stored,
because making it anew from the photo takes only a moment.
"""

import io
import time
import zlib
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from imagecodecs import jpegxl_decode, jpegxl_encode
from numpy.typing import NDArray

from enhance.errors import LayersDamaged, OptionsError
from enhance.faces.geometry import CROP
from enhance.faces.paste import Patch
from enhance.limits import Limits
from enhance.names import result_stem
from enhance.options import Options
from enhance.photos import DECODER, encode
from enhance.pipeline.enhancer import Enhanced
from enhance.pipeline.notes import provenance
from enhance.pipeline.views import views_of
from enhance.records import Photo, Pixels, Report, Result, Source
from enhance.repair.marks import as_picture
from enhance.upscaling.interpolation import clean_edges, resized, transparency

_FAST = 1  # the effort with which JPEG XL takes half of PNG's time and two thirds of its bytes
_CHECKSUM = 4  # bytes


def finish(
    index: int, number: int, options: Options, photo: Photo, enhanced: Enhanced, *, viewed: bool
) -> Result:
    """Paste the faces and encode one photo; number: see `Source`, viewed: see `Engine.run`.

    Overwrites the canvas of `enhanced`. Raises what encoding raises.
    """
    layers = pack(enhanced) if viewed else None
    marks = as_picture(enhanced.marks) if viewed and enhanced.marks is not None else None
    result = _assembled(index, number, options, photo, enhanced, viewed=viewed)
    return replace(result, layers=layers, marks=marks)


def _assembled(
    index: int, number: int, options: Options, photo: Photo, enhanced: Enhanced, *, viewed: bool
) -> Result:
    """As `finish`, but without the layers and marks themselves."""
    start = time.perf_counter()
    report, weight = enhanced.report, options.background_weight
    if weight < 1 and report.background != "lanczos":
        plain = _plain(photo, enhanced.mended, report.output_size)
        for ours, its in zip(enhanced.canvas, plain, strict=True):  # rows need no second copy
            cv2.addWeighted(ours, weight, its, 1 - weight, 0, dst=ours)
    canvas = enhanced.pasted(options.weight)
    pasted = time.perf_counter()
    # Transparency is not part of the picture, so it is only ever interpolated.
    alpha = None if photo.alpha is None else transparency(photo.alpha, report.output_size)
    # The result has the photo's profile and channels, unless it was given colors.
    gains = report.colorized and photo.gray
    result = replace(photo, gray=False, icc=None) if gains else photo
    data, extension, notes = encode(
        canvas,
        alpha,
        result,
        options.format,
        options.quality,
        options.metadata,
        provenance(report, options),
    )
    stages = {"paste": pasted - start, "encode": time.perf_counter() - pasted}
    report = replace(
        report,
        notes=report.notes + notes,
        seconds=report.seconds | {stage: round(spent, 4) for stage, spent in stages.items()},
    )
    stem = result_stem(
        options.name,
        photo.name,
        number=number,
        upscale=report.upscale,
        restorer=report.restorer,
        background=report.background,
    )
    views = views_of(photo, result, canvas, extension, report) if viewed else None
    return Result(index, photo.name, f"{stem}.{extension}", data, report, views)


def _plain(photo: Photo, mended: Pixels | None, size: tuple[int, int]) -> Pixels:
    """The photo, or what repair and toning made of it, resized by interpolation only."""
    rgb = photo.rgb if mended is None else mended
    return resized(clean_edges(rgb, photo.alpha, size), size)


def pack(enhanced: Enhanced) -> bytes | None:
    """The layers of a photo as bytes; None if no model changed anything that could be undone. Call
    this before they are put together.

    They take about 1.8 MB per face, plus 1 MB per output megapixel if a model made the background
    (1.4 MB with 16 bits), and the same again per megapixel of a photo that was repaired or toned.
    The faces' pixels are not compressed, because that would save only an eighth of their 16 bits.
    """
    patches, background = enhanced.patches.values(), enhanced.report.background
    if not patches and background == "lanczos":
        return None
    parts: dict[str, Any] = {"faces": np.array(list(enhanced.patches))}
    if patches:
        parts["matrices"] = np.stack([patch.matrix for patch in patches])
        parts["pixels"] = np.stack([patch.pixels for patch in patches])
        parts["masks"] = _packed(np.concatenate([patch.mask for patch in patches]))
    if enhanced.mended is not None:
        parts["mended"] = _packed(enhanced.mended)
    if background != "lanczos":
        parts["canvas"] = _packed(enhanced.canvas)
    file = io.BytesIO()
    np.savez(file, **parts)
    archive = file.getvalue()
    return _checksum(archive) + archive


def repaste(
    source: Source,
    layers: bytes,
    report: Report,
    options: Options,
    limits: Limits,
    keep: Collection[int],
) -> Result:
    """Make the result again with only the faces in `keep` restored; loads no model.

    source, options: those of the result, but the weights in `options` may differ.
    layers, report: those of the result.
    keep: indices into `report.faces` of restored faces. With all of them and the same weights, the
        bytes equal the result's.

    The new report has the seconds that pasting and encoding took this time. Like the result of a
    batch of one photo, the new one has the index 0; it has views, but no layers or marks.

    Raises LayersDamaged if the layers cannot be read or belong to another photo, OptionsError if a
    face in `keep` was not restored, PhotoError if the photo can no longer be read.
    """
    canvas, mended, patches = _unpack(layers, report.name)
    photo = DECODER(source, limits)
    size = report.output_size
    if canvas is None:
        canvas = _plain(photo, mended, size)
    if photo.size != report.source_size or canvas.shape[1::-1] != size:
        raise _damaged(report.name)
    missing = sorted(set(keep) - set(patches))
    if missing:
        raise OptionsError(
            "Face {number} of “{name}” was not restored, so it cannot be switched.",
            number=missing[0] + 1,
            name=report.name,
        )
    patches = {i: patch for i, patch in patches.items() if i in keep}
    enhanced = Enhanced(canvas, patches, replace(report, restored=tuple(patches)), mended)
    done = _assembled(0, source.number, options, photo, enhanced, viewed=True)
    # The notes already say what the format cannot store.
    return replace(done, report=replace(done.report, notes=report.notes))


def _unpack(layers: bytes, name: str) -> tuple[Pixels | None, Pixels | None, dict[int, Patch]]:
    """The stored canvas and the mended photo, if there are any, and the patches by face."""
    checksum, archive = layers[:_CHECKSUM], layers[_CHECKSUM:]
    if _checksum(archive) != checksum:
        raise _damaged(name)
    with np.load(io.BytesIO(archive), allow_pickle=False) as parts:
        canvas, mended = (
            _unpacked(parts[part]) if part in parts else None for part in ("canvas", "mended")
        )
        faces = parts["faces"].tolist()
        if not faces:
            return canvas, mended, {}
        masks = _unpacked(parts["masks"]).reshape(len(faces), CROP, CROP)
        patches = map(Patch, parts["matrices"], parts["pixels"], masks)
    return canvas, mended, dict(zip(faces, patches, strict=True))


def _checksum(archive: bytes) -> bytes:
    return zlib.crc32(archive).to_bytes(_CHECKSUM, "big")


def _damaged(name: str) -> LayersDamaged:
    return LayersDamaged(
        "The saved faces of “{name}” are damaged. Enhance the photo again.", name=name
    )


def _packed(pixels: Pixels) -> NDArray[np.uint8]:
    """Encode pixels of 8 or 16 bits losslessly."""
    return np.frombuffer(jpegxl_encode(pixels, lossless=True, effort=_FAST, numthreads=1), np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> Pixels:
    return jpegxl_decode(packed.tobytes())
