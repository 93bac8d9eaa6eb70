"""One photo from pixels to pixels: orchestration only, no torch, no concrete model.

The restored faces stay beside the enlarged photo until it is finished: pasting needs no model, so
the model need not wait for it, and a face can still be left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from enhance.errors import PhotoTooLarge
from enhance.faces.geometry import align, face_matrix
from enhance.faces.paste import Patch, match_colors, paste
from enhance.faces.sharpness import sharpness
from enhance.limits import Limits
from enhance.models.catalogue import MODELS
from enhance.options import FaceChoice, Options, Setup
from enhance.photos.color import space_of, srgb_view
from enhance.photos.pixels import unit
from enhance.pipeline.findings import FACE_DETECTOR, LIKELY, likely_faces, look
from enhance.pipeline.needs import asks, decide
from enhance.pipeline.notes import notes_on
from enhance.records import EngineInfo, Face, Findings, Mask, Photo, Pixels, Report, StopCheck
from enhance.repair.marks import damage_mask, spare_faces
from enhance.repair.tone import Fading, judge, tone
from enhance.upscaling.deblocking import deblocked
from enhance.upscaling.interpolation import clean_edges

if TYPE_CHECKING:
    from enhance.pipeline.build import ResidentModels

_TOGETHER = 16  # faces restored at once, so that a crowd's crops are not all in memory together


@dataclass(frozen=True)
class Enhanced:
    """An enhanced photo before its faces are pasted and it is encoded.

    canvas: the resized photo with its original faces. patches: the restored faces, by their index
    in `report.faces`. Both are at full strength: how much of them shows is decided when they are
    put together, in `layers`.
    mended: the photo's pixels after repair, toning and colorising, from which all this was made;
    None if none of them changed anything. marks: which pixels of the photo were repaired, (h, w);
    None if that was not asked for.
    """

    canvas: Pixels
    patches: dict[int, Patch]
    report: Report
    mended: Pixels | None = None
    marks: Mask | None = None

    def pasted(self, weight: float = 1.0) -> Pixels:
        """The canvas with the faces pasted into it, in place. Call this only once."""
        paste(self.canvas, list(self.patches.values()), self.report.source_size, weight)
        return self.canvas


class Enhancer:
    """The pipeline over resident models. Not thread-safe: one photo at a time."""

    def __init__(self, models: ResidentModels, limits: Limits, info: EngineInfo) -> None:
        self._models = models
        self._limits = limits
        self.info = info

    def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
        """Look, deblock, repair, tone, colorize, detect, restore, upscale.

        Raises PhotoTooLarge when the output would exceed the limits, Cancelled from `stop_check`,
        and whatever the models raise.
        """
        self._check_size(photo, options)
        seconds: dict[str, float] = {}
        original: Pixels = photo.rgb
        seen: Findings | None = None
        if asks(options, photo.size):
            with _timed("look", seconds):
                seen = look(photo, self._models, stop_check)
        needed, reasons = decide(options, seen, photo.size, marked=photo.marks is not None)
        size = needed.output_size(photo.size)
        # Also where nothing needs repair: a person may think otherwise.
        marks = np.zeros(original.shape[:2], bool) if options.repair == "auto" else None
        options, choices = self._models.resolve(needed)
        if seen and options.background != "lanczos":
            with _timed("deblock", seconds):
                # What was seen of the photo still holds.
                original = deblocked(photo.rgb, seen.blocks, stop_check)
                photo = replace(photo, rgb=original)
        fading: Fading | None = None
        repaired = toned = colorized = 0.0
        if options.repair == "on":
            with _timed("repair", seconds):
                marks = self._marks(photo, options, seen, stop_check)
                photo = self._models.filler(options.fill)(photo, marks, stop_check)
                repaired = float(marks.mean())
        if options.tone == "on":
            with _timed("tone", seconds):
                fading = judge(photo)
                toned = fading.amount * options.tone_strength
                photo = tone(photo, fading, options.tone_strength)
        if options.colorize and (fading or judge(photo)).gray:
            with _timed("colorize", seconds):
                colorized = options.colorize
                photo = self._models.colorizer(photo, colorized, stop_check)
        faces: list[Face] = []
        patches: dict[int, Patch] = {}
        if options.restorer != "none":
            with _timed("detect", seconds):
                faces = self._find(photo, options, seen if photo.rgb is original else None)
            if faces and options.weight > 0:
                with _timed("restore", seconds):
                    patches = self._restore(photo, faces, options, stop_check)
        with _timed("upscale", seconds):
            upscaler = self._models.upscaler(options.background)
            clean = replace(photo, rgb=clean_edges(photo.rgb, photo.alpha, size))
            upscaled = upscaler(clean, size, options.tile, stop_check)
        report = Report(
            name=photo.name,
            source_size=photo.size,
            output_size=size,
            faces=tuple(faces),
            restored=tuple(patches),
            restorer=options.restorer,
            background=options.background,
            detector=options.detector,
            masker=options.masker,
            upscale=_ratio(size, photo.size),
            device=self._models.device,
            precision=self._models.precision,
            seconds=seconds,
            background_precision=upscaled.precision,
            repaired=round(repaired, 6),
            fill=options.fill if repaired else None,
            toned=round(toned, 3),
            colorized=colorized,
            findings=seen,
            reasons=reasons | choices,
        )
        notes = *photo.notes, *notes_on(options, report, marked=photo.marks is not None)
        report = replace(report, notes=notes)
        mended = photo.rgb if repaired or toned or colorized else None
        return Enhanced(upscaled.rgb, patches, report, mended, marks)

    def _check_size(self, photo: Photo, options: Options) -> None:
        width, height = options.output_size(photo.size)
        if width * height > self._limits.max_output_pixels:
            raise PhotoTooLarge(
                "“{name}” would become {width} × {height} pixels; the limit is "
                "{megapixels:.0f} megapixels. Choose a smaller size.",
                name=photo.name,
                width=width,
                height=height,
                megapixels=self._limits.max_output_pixels / 1e6,
            )

    def _marks(
        self, photo: Photo, options: Options, seen: Findings | None, stop_check: StopCheck
    ) -> Mask:
        """Which pixels are damaged: those that a person has marked, or else those found."""
        if photo.marks is not None:
            return photo.marks
        likelihood = self._models.damage_detector(photo, stop_check)
        marks = damage_mask(likelihood, options.repair_sensitivity)
        faces = seen.faces if seen else likely_faces(photo, self._models)
        return spare_faces(marks, likelihood, faces)

    def _find(self, photo: Photo, options: Options, seen: Findings | None) -> list[Face]:
        """The faces that should be restored, largest first. seen: what was found in the photo as it
        is now, if that is known."""
        threshold = options.face_threshold
        if seen and options.detector == FACE_DETECTOR and threshold >= LIKELY:
            found = [face for face in seen.faces if face.score >= threshold]
        else:
            found = self._models.detector(options.detector)(srgb_view(photo), threshold)
        found = [face for face in found if face.size >= options.min_face]
        return choose_faces(found, options.faces, photo.size)

    def _restore(
        self, photo: Photo, faces: list[Face], options: Options, stop_check: StopCheck
    ) -> dict[int, Patch]:
        """The faces' patches by index, except for those that are degenerate or left unchanged."""
        space = space_of(photo)
        placed = [(i, m) for i, m in enumerate(map(face_matrix, faces)) if m is not None]
        patches: dict[int, Patch] = {}
        for start in range(0, len(placed), _TOGETHER):
            some = placed[start : start + _TOGETHER]
            crops = np.stack([unit(align(photo.rgb, matrix)) for _, matrix in some])
            strength = np.ones(len(some), np.float32)
            if options.only_restore_blurred:
                strength -= np.array([*map(sharpness, space.to_srgb(crops))], np.float32)
                soft = np.flatnonzero(strength)
                some, crops, strength = [some[i] for i in soft], crops[soft], strength[soft]
            if not some:
                continue
            seen, beyond = space.split(crops)
            restored = self._models.restorer(options.restorer)(seen, stop_check)
            if options.face_colors == "photo":
                restored = np.stack([*map(match_colors, restored, seen)])
            restored = seen + strength[:, None, None, None] * (restored - seen)
            masks = self._models.masker(options.masker)(restored)
            restored = space.joined(restored, beyond)
            for (i, matrix), crop, mask in zip(some, restored, masks, strict=True):
                patches[i] = Patch.of(matrix, crop, mask)
        return patches


def load_enhancer(setup: Setup, limits: Limits) -> Enhancer:
    """An enhancer whose default models are loaded, with the detector and the network for whole
    photos warmed up.

    Raises WeightsError when weights are missing or altered.
    """
    # The models' libraries are imported only where the models are needed.
    from enhance.pipeline.build import ResidentModels
    from enhance.upscaling.upscalers import seconds_per_pixel

    models = ResidentModels(setup)
    usual, _ = models.resolve(Options())
    models.detector(usual.detector)(np.zeros((48, 48, 3), np.uint8), 0.5)
    _ = models.damage_detector
    models.restorer(usual.restorer)
    speed = seconds_per_pixel(models.upscaler(usual.background)) / MODELS[usual.background].cost
    return Enhancer(models, limits, EngineInfo(models.device, models.precision, speed))


def choose_faces(faces: list[Face], choice: FaceChoice, size: tuple[int, int]) -> list[Face]:
    """All faces, the largest, or the one nearest the middle of a photo of `size`."""
    if not faces or choice == "all":
        return faces
    if choice == "largest":
        return [max(faces, key=lambda face: face.size)]
    middle = size[0] / 2, size[1] / 2
    return [min(faces, key=lambda face: math.dist(face.center, middle))]


def _ratio(size: tuple[int, int], photo: tuple[int, int]) -> float:
    """How many times longer the longer side has become; an int where it is a whole number."""
    ratio = max(size) / max(photo)
    return int(ratio) if ratio.is_integer() else round(ratio, 3)


@contextmanager
def _timed(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    """Note the seconds that a stage takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 4)
