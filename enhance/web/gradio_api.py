"""The named endpoints, for `gradio_client`, `@gradio/client` and plain HTTP.

This module does without `from __future__ import annotations`, because Gradio reads the types.
"""

import inspect
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import api

from enhance.errors import EnhanceError
from enhance.models.inventory import Model, inventory
from enhance.options import OLD_NAMES
from enhance.pipeline.reports import record
from enhance.records import Source
from enhance.web.batches.store import BatchStore
from enhance.web.batches.work import work
from enhance.web.log import REQUEST_HEADER
from enhance.web.page.settings import options_from
from enhance.web.server.routes import Health, health

QUEUE = "api"
"""Concurrency id of the endpoints that use the model. It is not the page's, because an API batch
would hold that until it is finished."""

MOST_AT_ONCE = 8
"""Requests that are served at once, at most a quarter of them one client's: two, so that a single
photo need not wait for the end of the same client's batch. The engine takes a photo from each
client in turn, so with every further client all wait longer for their next photo; each request also
holds a thread and two decoded photos."""

Event = tuple[str | None, dict[str, Any]]
"""The enhanced file, or None, and the report."""


class Api:
    """Endpoints that share the page's batches."""

    def __init__(self, batches: BatchStore, options: dict[str, Any]) -> None:
        """Add the endpoints to the current `gr.Blocks`. options: the page's widgets by the options'
        names; they become the endpoints' parameters, with their ranges, defaults and descriptions.
        The names that options had in version 0.2 follow them."""
        self._batches = batches
        inputs = dict(options)
        with gr.Row(visible=False):
            inputs |= {old: gr.Textbox("", label=f"now {name}") for old, name in OLD_NAMES.items()}
            photo = gr.File(label="photo")
            photos = gr.File(label="photos", file_count="multiple")
            result = gr.File(label="enhanced photo")
            report = gr.JSON(label="report")
            for endpoint, sent in ((self.enhance, photo), (self.enhance_batch, photos)):
                gr.Button().click(
                    endpoint,
                    sent,
                    [result, report],
                    inputs_kwargs=inputs,
                    api_name=endpoint.__name__,
                    api_description=" ".join((inspect.getdoc(endpoint) or "").split()),
                    concurrency_id=QUEUE,
                    concurrency_limit=MOST_AT_ONCE,
                )
        api(self.models, api_name="models", queue=False)
        api(self.health, api_name="health", queue=False)

    async def enhance(self, photo: str, request: gr.Request, **options: Any) -> Event:
        """Enhance one photo. Returns the enhanced file and a report: sizes, faces with boxes and
        scores, models, seconds per stage, notes. A photo that cannot be enhanced is an error whose
        message says why."""
        async with aclosing(self.enhance_batch([photo], request, **options)) as events:
            async for file, report in events:
                if file is None:
                    raise _refusal(report["reason"])
                return file, report
        raise _refusal("The work was stopped.")

    async def enhance_batch(
        self, photos: list[str], request: gr.Request, **options: Any
    ) -> AsyncGenerator[Event, None]:
        """Enhance photos. Sends one event per photo, as soon as it is done: the enhanced file and
        its report. For a photo that failed the file is null and the report has `reason`; the
        others go on. `index` in the report is the photo's place in the request."""
        if not photos or photos == [None]:
            raise _refusal("Send at least one photo.")
        try:
            start = partial(
                self._batches.start,
                [Source.of(path) for path in photos],
                options_from(options.values(), options),
                str(request.session_hash),
                request.headers[REQUEST_HEADER],
                client=request.state.client,
            )
            async with aclosing(work(start)) as done:
                async for batch, entry in done:
                    assert entry.outcome is not None
                    file = str(entry.version.file) if entry.version else None
                    yield file, {"index": batch.entries.index(entry), **record(entry.outcome)}
        except EnhanceError as error:
            raise _refusal(str(error)) from error

    def models(self) -> list[Model]:
        """Every model that the options can name: what it is, its licence, the size of its weights
        in bytes, and whether it is present on the server. One that is not can be downloaded on
        the page or with `python -m enhance fetch NAME`."""
        return list(inventory())

    def health(self) -> Health:
        """Whether the server is ready, where its models run, and how much is waiting. A request
        that comes while the models are loading is not refused: it waits for them."""
        return health(self._batches)


def _refusal(sentence: str) -> gr.Error:
    """The error to raise. It is an answer, not a server fault, so no traceback is logged."""
    return gr.Error(sentence, print_exception=False)
