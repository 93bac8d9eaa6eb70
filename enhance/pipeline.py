"""One photo from pixels to pixels: orchestration only, no torch, no concrete model."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from enhance.errors import PhotoTooLarge
from enhance.faces import CROP, Patch, align, face_matrix, paste
from enhance.records import (
    Checkpoint,
    EngineInfo,
    Face,
    FaceChoice,
    FloatArray,
    Limits,
    Options,
    Photo,
    Pixels,
    Report,
)
from enhance.sharpness import is_sharp


class Detector(Protocol):
    """RGB photo → faces with landmarks, largest first."""

    name: str

    def __call__(self, rgb: Pixels, threshold: float) -> list[Face]: ...


class Restorer(Protocol):
    """Crops (n, 512, 512, 3) float32 RGB in 0..1 → restored crops of the same shape."""

    name: str

    def __call__(self, crops: FloatArray, checkpoint: Checkpoint) -> FloatArray: ...


class Masker(Protocol):
    """Restored crops → masks (n, 512, 512) float32 in 0..1."""

    name: str

    def __call__(self, restored: FloatArray) -> FloatArray: ...


class Upscaler(Protocol):
    """RGB photo → the photo `upscale` times as large, same dtype."""

    name: str

    def __call__(self, rgb: Pixels, upscale: int, tile: int, checkpoint: Checkpoint) -> Pixels: ...


class Models(Protocol):
    """The resident models, each loaded when first asked for, kept thereafter."""

    device: str
    precision: str

    def resolve(self, options: Options) -> tuple[Options, tuple[str, ...]]:
        """The options without "auto", and sentences about the choices made."""
        ...

    def detector(self, name: str) -> Detector: ...
    def masker(self, name: str) -> Masker: ...
    def restorer(self, name: str) -> Restorer: ...
    def upscaler(self, name: str) -> Upscaler: ...


@dataclass(frozen=True)
class Enhanced:
    """An enhanced photo before encoding. `alpha` is upscaled alike, or None."""

    canvas: Pixels
    alpha: Pixels | None
    report: Report


class Enhancer:
    """The pipeline over resident models. Not thread-safe: one photo at a time."""

    def __init__(self, models: Models, limits: Limits, info: EngineInfo) -> None:
        self._models = models
        self._limits = limits
        self.info = info

    def __call__(self, photo: Photo, options: Options, checkpoint: Checkpoint) -> Enhanced:
        """Detect, restore, upscale, paste.

        Raises PhotoTooLarge when the output would exceed the limits, Cancelled from `checkpoint`,
        and whatever the models raise.
        """
        self._check_output(photo, options)
        clock = _Clock()
        models = self._models
        options, choices = models.resolve(options)
        faces: list[Face] = []
        patches: list[Patch] = []
        if options.restorer != "none":
            with clock("detect"):
                found = models.detector(options.detector)(photo.rgb, options.face_threshold)
                found = [face for face in found if face.size >= options.min_face]
                faces = choose_faces(found, options.faces, photo.size)
            if faces and options.weight > 0:
                with clock("restore"):
                    patches = self._restore(photo, faces, options, checkpoint)
        with clock("upscale"):
            upscaler = models.upscaler(options.background)
            canvas = upscaler(photo.rgb, options.upscale, options.tile, checkpoint)
            # Transparency is no picture content: it is only ever interpolated.
            alpha = photo.alpha
            if alpha is not None and options.upscale > 1:
                alpha = models.upscaler("lanczos")(alpha, options.upscale, options.tile, checkpoint)
        with clock("paste"):
            paste(canvas, patches, options.upscale)
        notes = [*photo.notes, *choices]
        if options.restorer != "none" and not faces:
            notes.append("No face found: the whole picture was enhanced, no face restored.")
        elif len(patches) < len(faces) and options.weight > 0:
            notes.append(
                f"{len(faces) - len(patches)} of {len(faces)} faces are sharp: left alone."
            )
        report = Report(
            name=photo.name,
            source_size=photo.size,
            output_size=(canvas.shape[1], canvas.shape[0]),
            faces=tuple(faces),
            restored=len(patches),
            restorer=options.restorer,
            background=options.background,
            detector=options.detector,
            masker=options.masker,
            upscale=options.upscale,
            device=models.device,
            precision=models.precision,
            seconds=clock.seconds,
            notes=tuple(notes),
        )
        return Enhanced(canvas, alpha, report)

    def _restore(
        self, photo: Photo, faces: list[Face], options: Options, checkpoint: Checkpoint
    ) -> list[Patch]:
        matrices = [m for m in map(face_matrix, faces) if m is not None]
        crops = np.empty((len(matrices), CROP, CROP, 3), np.float32)
        for crop, matrix in zip(crops, matrices, strict=True):
            crop[:] = align(photo.rgb, matrix)
        crops /= np.iinfo(photo.rgb.dtype).max
        if options.only_restore_blurred:
            blurred = [i for i, crop in enumerate(crops) if not is_sharp(crop)]
            matrices, crops = [matrices[i] for i in blurred], crops[blurred]
        if not matrices:
            return []
        restored = self._models.restorer(options.restorer)(crops, checkpoint)
        masks = self._models.masker(options.masker)(restored)
        if options.weight < 1:
            restored = crops + (restored - crops) * np.float32(options.weight)
        return [Patch(*parts) for parts in zip(matrices, restored, masks, strict=True)]

    def _check_output(self, photo: Photo, options: Options) -> None:
        width, height = (side * options.upscale for side in photo.size)
        if width * height > self._limits.max_output_pixels:
            raise PhotoTooLarge(
                f"“{photo.name}” would become {width} × {height} pixels; the limit is "
                f"{self._limits.max_output_pixels / 1e6:.0f} megapixels. Choose a smaller upscale."
            )


def choose_faces(faces: list[Face], choice: FaceChoice, size: tuple[int, int]) -> list[Face]:
    """All faces, the largest, or the one nearest the middle of a photo of `size`."""
    if not faces or choice == "all":
        return faces
    if choice == "largest":
        return [max(faces, key=lambda face: face.size)]
    middle = size[0] / 2, size[1] / 2
    return [min(faces, key=lambda face: math.dist(face.centre, middle))]


class _Clock:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 4)
