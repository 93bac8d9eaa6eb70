"""One photo from pixels to pixels: orchestration only, no torch, no concrete model.

The restored faces stay beside the enlarged photo until it is finished: pasting needs no model, so
it need not keep one waiting, and a face can still be left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from enhance.errors import PhotoTooLarge
from enhance.faces.colours import match_colours
from enhance.faces.geometry import CROP, Matrix, Patch, align, face_matrix, paste
from enhance.faces.sharpness import is_sharp
from enhance.i18n import Sentence, say
from enhance.limits import Limits
from enhance.options import FaceChoice, Options, WorkingSize
from enhance.photos.colour import SRGB, ColourSpace, colour_space, srgb_view
from enhance.records import (
    Checkpoint,
    EngineInfo,
    Face,
    FloatArray,
    Photo,
    Pixels,
    Report,
    Upscaled,
)
from enhance.repair.fill import fill
from enhance.repair.mask import damage_mask, spare_faces
from enhance.repair.tone import judge, tone
from enhance.upscaling.interpolation import clean_edges, transparency

_SPARES, _SPARED = "retinaface-mobilenet", 0.5  # finds the faces in which little is repaired
_TOGETHER = 16  # faces restored at once: a crowd's crops need not lie in memory all at a time


class Detector(Protocol):
    """RGB photo → faces with landmarks, largest first."""

    name: str

    def __call__(self, rgb: Pixels, threshold: float) -> list[Face]: ...


class Restorer(Protocol):
    """Crops (n, 512, 512, 3) float32 RGB in 0..1 → restored crops of the same shape.

    quick: rather soon than well, where there is a choice.
    """

    name: str

    def __call__(
        self, crops: FloatArray, checkpoint: Checkpoint, quick: bool = False
    ) -> FloatArray: ...


class Masker(Protocol):
    """Restored crops → masks (n, 512, 512) float32 in 0..1."""

    name: str

    def __call__(self, restored: FloatArray) -> FloatArray: ...


class Upscaler(Protocol):
    """RGB photo → the photo `upscale` times as large, same dtype, in the same colour space.

    precision: of its network; None if it has none.
    """

    name: str
    precision: str | None

    def __call__(
        self,
        rgb: Pixels,
        upscale: int,
        tile: int,
        checkpoint: Checkpoint,
        space: ColourSpace = SRGB,
        working_size: WorkingSize = "full",
    ) -> Upscaled: ...


class DamageDetector(Protocol):
    """RGB photo → (h, w) uint8: how likely each pixel is damaged, 255 being certain."""

    def __call__(
        self, rgb: Pixels, checkpoint: Checkpoint, space: ColourSpace = SRGB
    ) -> Pixels: ...


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
    @property
    def damage_detector(self) -> DamageDetector: ...


@dataclass(frozen=True)
class Enhanced:
    """An enhanced photo before its faces are pasted and it is encoded.

    canvas: the photo upscaled, faces as they were. alpha: upscaled alike, or None. patches: the
    restored faces, by their index in `report.faces`. Both are at full strength: how much of them
    shows is decided when they are put together (`enhance.layers`). mended: the photo's pixels
    after repair and toning, from which all this was made; None when nothing was done to them.
    """

    canvas: Pixels
    alpha: Pixels | None
    patches: dict[int, Patch]
    report: Report
    mended: Pixels | None = None

    def pasted(self, weight: float = 1.0) -> Pixels:
        """The canvas, its faces now pasted into it, in place: to be called once."""
        paste(self.canvas, list(self.patches.values()), self.report.upscale, weight)
        return self.canvas


class Enhancer:
    """The pipeline over resident models. Not thread-safe: one photo at a time."""

    def __init__(self, models: Models, limits: Limits, info: EngineInfo) -> None:
        self._models = models
        self._limits = limits
        self.info = info

    def __call__(self, photo: Photo, options: Options, checkpoint: Checkpoint) -> Enhanced:
        """Detect, restore, upscale.

        Raises PhotoTooLarge when the output would exceed the limits, Cancelled from `checkpoint`,
        and whatever the models raise.
        """
        self._check_output(photo, options)
        clock = _Clock()
        models = self._models
        options, choices = models.resolve(options)
        space = colour_space(photo.icc, photo.grey)
        repaired = toned = 0.0
        if options.repair == "auto":
            with clock("repair"):
                likelihood = models.damage_detector(photo.rgb, checkpoint, space)
                marks = damage_mask(likelihood, options.repair_sensitivity)
                seen = srgb_view(photo.rgb, space)
                marks = spare_faces(marks, models.detector(_SPARES)(seen, _SPARED))
                repaired = float(marks.mean())
                photo = replace(photo, rgb=fill(photo.rgb, marks))
        if options.tone == "auto":
            with clock("tone"):
                fading = judge(photo.rgb, space)
                toned = fading.amount * options.tone_strength
                photo = replace(photo, rgb=tone(photo.rgb, fading, options.tone_strength, space))
        faces: list[Face] = []
        patches: dict[int, Patch] = {}
        if options.restorer != "none":
            with clock("detect"):
                seen = srgb_view(photo.rgb, space)
                found = models.detector(options.detector)(seen, options.face_threshold)
                found = [face for face in found if face.size >= options.min_face]
                faces = choose_faces(found, options.faces, photo.size)
            if faces and options.weight > 0:
                with clock("restore"):
                    patches = self._restore(photo, space, faces, options, checkpoint)
        with clock("upscale"):
            upscaler = models.upscaler(options.background)
            rgb = clean_edges(photo.rgb, photo.alpha, options.upscale)
            upscaled = upscaler(
                rgb, options.upscale, options.tile, checkpoint, space, options.working_size
            )
            # Transparency is no picture content: it is only ever interpolated.
            alpha = photo.alpha
            if alpha is not None:
                alpha = transparency(alpha, options.upscale)
        notes = [*photo.notes, *choices]
        if options.repair == "auto":
            notes.append(_repaired(repaired))
        if options.tone == "auto" and not toned:
            notes.append(say("The colours have not faded: left as they are."))
        if options.restorer != "none" and not faces:
            notes.append(
                say("No face was found: the whole photo was enhanced, but no face was restored.")
            )
        elif len(patches) < len(faces) and options.weight > 0:
            notes.append(_left_alone(len(faces) - len(patches), len(faces)))
        report = Report(
            name=photo.name,
            source_size=photo.size,
            output_size=(upscaled.rgb.shape[1], upscaled.rgb.shape[0]),
            faces=tuple(faces),
            restored=tuple(patches),
            restorer=options.restorer,
            background=options.background,
            detector=options.detector,
            masker=options.masker,
            upscale=options.upscale,
            device=models.device,
            precision=models.precision,
            seconds=clock.seconds,
            notes=tuple(notes),
            background_precision=upscaler.precision,
            working_size=upscaled.working_size,
            repaired=round(repaired, 6),
            toned=round(toned, 3),
        )
        mended = photo.rgb if repaired or toned else None
        return Enhanced(upscaled.rgb, alpha, patches, report, mended)

    def _restore(
        self,
        photo: Photo,
        space: ColourSpace,
        faces: list[Face],
        options: Options,
        checkpoint: Checkpoint,
    ) -> dict[int, Patch]:
        """The faces' patches by index, without those that are degenerate or left alone."""
        placed = [(i, m) for i, m in enumerate(map(face_matrix, faces)) if m is not None]
        patches: dict[int, Patch] = {}
        for start in range(0, len(placed), _TOGETHER):
            some = dict(placed[start : start + _TOGETHER])
            patches |= self._restore_some(photo, space, some, options, checkpoint)
        return patches

    def _restore_some(
        self,
        photo: Photo,
        space: ColourSpace,
        matrices: dict[int, Matrix],
        options: Options,
        checkpoint: Checkpoint,
    ) -> dict[int, Patch]:
        crops = np.empty((len(matrices), CROP, CROP, 3), np.float32)
        for crop, matrix in zip(crops, matrices.values(), strict=True):
            crop[:] = align(photo.rgb, matrix)
        crops /= np.iinfo(photo.rgb.dtype).max
        seen = space.to_srgb(crops)
        members = list(matrices)
        if options.only_restore_blurred:
            blurred = [i for i, crop in enumerate(seen) if not is_sharp(crop)]
            members, crops, seen = [members[i] for i in blurred], crops[blurred], seen[blurred]
        if not members:
            return {}
        restored = self._models.restorer(options.restorer)(seen, checkpoint, photo.draft)
        if options.face_colours == "photo":
            pairs = zip(restored, seen, strict=True)
            restored = np.stack([match_colours(crop, original) for crop, original in pairs])
        masks = self._models.masker(options.masker)(restored)
        restored = space.from_srgb(restored)
        if (beyond := space.beyond(crops)) is not None:
            restored += beyond
        return {
            i: Patch.of(matrices[i], crop, mask)
            for i, crop, mask in zip(members, restored, masks, strict=True)
        }

    def _check_output(self, photo: Photo, options: Options) -> None:
        width, height = (side * options.upscale for side in photo.size)
        if width * height > self._limits.max_output_pixels:
            raise PhotoTooLarge(
                say(
                    "“{name}” would become {width} × {height} pixels; the limit is "
                    "{megapixels:.0f} megapixels. Choose a smaller upscale.",
                    name=photo.name,
                    width=width,
                    height=height,
                    megapixels=self._limits.max_output_pixels / 1e6,
                )
            )


def choose_faces(faces: list[Face], choice: FaceChoice, size: tuple[int, int]) -> list[Face]:
    """All faces, the largest, or the one nearest the middle of a photo of `size`."""
    if not faces or choice == "all":
        return faces
    if choice == "largest":
        return [max(faces, key=lambda face: face.size)]
    middle = size[0] / 2, size[1] / 2
    return [min(faces, key=lambda face: math.dist(face.centre, middle))]


def _repaired(share: float) -> Sentence:
    if share == 0:
        return say("No damage found.")
    return say("Damage repaired on {share:.2%} of the photo.", share=share)


def _left_alone(count: int, total: int) -> Sentence:
    if total == 1:
        return say("The face is already sharp and was left unchanged.")
    if count == 1:
        return say("1 of {total} faces is already sharp and was left unchanged.", total=total)
    return say(
        "{count} of {total} faces are already sharp and were left unchanged.",
        count=count,
        total=total,
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
