"""One photo from pixels to pixels: orchestration only, no torch, no concrete model."""

from __future__ import annotations

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
    FloatArray,
    Limits,
    Options,
    Photo,
    Pixels,
    Report,
)


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

    @property
    def detector(self) -> Detector: ...
    @property
    def masker(self) -> Masker: ...
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
        faces: list[Face] = []
        patches: list[Patch] = []
        if options.restorer != "none":
            with clock("detect"):
                found = models.detector(photo.rgb, options.face_threshold)
                faces = [face for face in found if face.size >= options.min_face]
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
        notes = list(photo.notes)
        if options.restorer != "none" and not faces:
            notes.append("No face found: the whole picture was enhanced, no face restored.")
        report = Report(
            name=photo.name,
            source_size=photo.size,
            output_size=(canvas.shape[1], canvas.shape[0]),
            faces=tuple(faces),
            restorer=options.restorer,
            background=upscaler.name,
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
        restored = self._models.restorer(options.restorer)(crops, checkpoint)
        masks = self._models.masker(restored)
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


class _Clock:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 4)
