"""The named endpoints, for `gradio_client`, `@gradio/client` and plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Any

import gradio as gr

from enhance.errors import EnhanceError
from enhance.records import (
    Background,
    Detector,
    FaceChoice,
    Failure,
    Masker,
    OutputFormat,
    Restorer,
    Source,
)
from enhance.ui.batches import Batches, Entry
from enhance.ui.page import MODEL_QUEUE
from enhance.ui.settings import Settings


class Api:
    """Endpoints over the same batches and the same queue as the page."""

    def __init__(self, batches: Batches, settings: Settings) -> None:
        """Adds the endpoints to the current `gr.Blocks`. settings: the page's, whose values are
        the endpoints' defaults."""
        self._batches = batches
        self._settings = settings
        queue: dict[str, Any] = {"concurrency_id": MODEL_QUEUE, "concurrency_limit": 1}
        with gr.Row(visible=False):
            photo = gr.File(label="photo")
            photos = gr.File(label="photos", file_count="multiple")
            result = gr.File(label="enhanced photo")
            report = gr.JSON(label="report")
            gr.Button().click(
                self.enhance,
                [photo, *settings.widgets],
                [result, report],
                api_name="enhance",
                api_description=self.enhance.__doc__,
                **queue,
            )
            gr.Button().click(
                self.enhance_batch,
                [photos, *settings.widgets],
                [result, report],
                api_name="enhance_batch",
                api_description=self.enhance_batch.__doc__,
                **queue,
            )

    def enhance(
        self,
        photo: str,
        upscale: int,
        restorer: Restorer,
        weight: float,
        background: Background,
        faces: FaceChoice,
        only_restore_blurred: bool,
        detector: Detector,
        masker: Masker,
        face_threshold: float,
        min_face: int,
        tile: int,
        format: OutputFormat,
        quality: int,
        request: gr.Request,
    ) -> tuple[str, dict[str, Any]]:
        """Enhance one photo. Returns the enhanced file and a report: sizes, faces with boxes and
        scores, models, seconds per stage, notes. A photo that cannot be enhanced is an error whose
        message says why."""
        records = self.enhance_batch(
            [photo],
            upscale,
            restorer,
            weight,
            background,
            faces,
            only_restore_blurred,
            detector,
            masker,
            face_threshold,
            min_face,
            tile,
            format,
            quality,
            request,
        )
        for file, report in records:
            if file is None:
                raise gr.Error(report["reason"])
            return file, report
        raise gr.Error("The work was stopped.")

    def enhance_batch(
        self,
        photos: list[str],
        upscale: int,
        restorer: Restorer,
        weight: float,
        background: Background,
        faces: FaceChoice,
        only_restore_blurred: bool,
        detector: Detector,
        masker: Masker,
        face_threshold: float,
        min_face: int,
        tile: int,
        format: OutputFormat,
        quality: int,
        request: gr.Request,
    ) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """Enhance photos. Sends one event per photo, as soon as it is done: the enhanced file and
        its report. For a photo that failed the file is null and the report has `reason`; the
        others go on. `index` in the report is the photo's place in the request."""
        if not photos or photos == [None]:
            raise gr.Error("Send at least one photo.")
        try:
            options = self._settings.options(
                upscale,
                restorer,
                weight,
                background,
                faces,
                only_restore_blurred,
                detector,
                masker,
                face_threshold,
                min_face,
                tile,
                format,
                quality,
            )
        except EnhanceError as error:
            raise gr.Error(str(error)) from error
        sources = [Source.of(path) for path in photos]
        batch = self._batches.start(sources, options, str(request.session_hash))
        with closing(batch.run):
            for index, entry in enumerate(batch.records()):
                yield (str(entry.file) if entry.file else None), {"index": index, **_report(entry)}


def _report(entry: Entry) -> dict[str, Any]:
    record = entry.report or entry.failure
    assert record is not None
    data = asdict(record)
    if isinstance(record, Failure):
        return {"ok": False, **data}
    return {"ok": True, **data}
