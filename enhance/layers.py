"""A finished photo in layers: the picture without its restored faces, and each face beside it.

So any of the faces can be left out and put in again without a model. The layers of a photo are one
npz archive without pickles behind a checksum; pixels lie in it as PNG, which is exact. An
interpolated background is not stored, for it is made again from the photo in a moment.
"""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Collection
from dataclasses import replace
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from enhance.errors import LayersDamaged, OptionsError
from enhance.faces import CROP, Patch
from enhance.images import decode, encode
from enhance.pipeline import Enhanced
from enhance.records import Limits, Options, Photo, Pixels, Report, Source
from enhance.scaling import clean_edges, lanczos, transparency
from enhance.sentences import say

# As small as what zlib does by default with such pictures, in half the time.
_FAST = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)
_CHECKSUM = 4  # bytes


def assemble(photo: Photo, enhanced: Enhanced, options: Options) -> tuple[bytes, str, Report]:
    """Paste the faces and encode: the file's bytes, its extension, and the whole report.

    The canvas of `enhanced` is used up by it. Raises what encoding raises.
    """
    start = time.perf_counter()
    canvas = enhanced.pasted()
    pasted = time.perf_counter()
    data, extension, notes = encode(
        canvas, enhanced.alpha, photo, options.format, options.quality, options.metadata
    )
    stages = {"paste": pasted - start, "encode": time.perf_counter() - pasted}
    report = enhanced.report
    report = replace(
        report,
        notes=report.notes + notes,
        seconds=report.seconds | {stage: round(spent, 4) for stage, spent in stages.items()},
    )
    return data, extension, report


def pack(enhanced: Enhanced) -> bytes:
    """The layers of a photo that has restored faces, before they are pasted.

    About 1.8 MB a face; with a model's background 1 MB per output megapixel more (16 bits: 1.4).
    The faces' pixels are as they are: of 16 bits PNG saves an eighth, for 50 ms a face.
    """
    patches = enhanced.patches.values()
    parts: dict[str, Any] = {
        "faces": np.array(list(enhanced.patches)),
        "matrices": np.stack([patch.matrix for patch in patches]),
        "pixels": np.stack([patch.pixels for patch in patches]),
        "masks": _png(np.concatenate([patch.mask for patch in patches])),
    }
    if enhanced.report.background != "lanczos":
        parts["canvas"] = _png(enhanced.canvas)
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
) -> tuple[bytes, Report]:
    """The photo's file again, with only those faces restored that are in `keep`; loads no model.

    source, options: those of the result. layers, report: what came with it. keep: indices into
    `report.faces` of faces that were restored. With all of them the bytes are the result's.
    Returns the file's bytes and its report, with the seconds that pasting and encoding took now.

    Raises LayersDamaged when the layers cannot be read or belong to another photo, OptionsError
    when a face in `keep` was not restored, PhotoError when the photo can no longer be read.
    """
    canvas, patches = _unpack(layers, report.name)
    photo = decode(source, limits)
    if canvas is None:
        rgb = clean_edges(photo.rgb, photo.alpha, report.upscale)
        canvas = lanczos(rgb, report.upscale)
    if photo.size != report.source_size or canvas.shape[1::-1] != report.output_size:
        raise _damaged(report.name)
    missing = sorted(set(keep) - set(patches))
    if missing:
        raise OptionsError(
            say(
                "Face {number} of “{name}” was not restored: there is nothing to put in.",
                number=missing[0] + 1,
                name=report.name,
            )
        )
    patches = {i: patch for i, patch in patches.items() if i in keep}
    alpha = None if photo.alpha is None else transparency(photo.alpha, report.upscale)
    enhanced = Enhanced(canvas, alpha, patches, replace(report, restored=tuple(patches)))
    data, _, done = assemble(photo, enhanced, options)
    return data, replace(done, notes=report.notes)  # they say already what the format cannot hold


def _unpack(layers: bytes, name: str) -> tuple[Pixels | None, dict[int, Patch]]:
    """The stored canvas, if there is one, and the patches by face."""
    checksum, archive = layers[:_CHECKSUM], layers[_CHECKSUM:]
    if _checksum(archive) != checksum:
        raise _damaged(name)
    with np.load(io.BytesIO(archive), allow_pickle=False) as parts:
        faces, matrices = parts["faces"].tolist(), parts["matrices"]
        pixels = parts["pixels"]
        masks = _pixels(parts["masks"]).reshape(len(faces), CROP, CROP)
        canvas = _pixels(parts["canvas"]) if "canvas" in parts else None
    return canvas, dict(zip(faces, map(Patch, matrices, pixels, masks), strict=True))


def _checksum(archive: bytes) -> bytes:
    return zlib.crc32(archive).to_bytes(_CHECKSUM, "big")


def _damaged(name: str) -> LayersDamaged:
    return LayersDamaged(
        say("What was kept of the faces of “{name}” is damaged. Enhance it again.", name=name)
    )


def _png(pixels: Pixels) -> NDArray[np.uint8]:
    """Exact pixels of 8 or 16 bits; the channels' order is of no concern to PNG."""
    ok, data = cv2.imencode(".png", pixels, _FAST)
    if not ok:
        raise OSError("OpenCV could not write the PNG")
    return np.asarray(data, np.uint8)


def _pixels(png: NDArray[np.uint8]) -> Pixels:
    return cast(Pixels, cv2.imdecode(png, cv2.IMREAD_UNCHANGED))
