"""How photos come into the batch of a page."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from enhance.errors import EnhanceError
from enhance.records import Source
from enhance.web.batches.batch import Batch
from enhance.web.batches.store import BatchStore
from enhance.web.language import language_of, toast
from enhance.web.log import REQUEST_HEADER
from enhance.web.server.clients import client_of


def take_in(batches: BatchStore, request: gr.Request, key: str, paths: list[Path]) -> Batch:
    """Add photos to the batch of the page, or make it. Raises gr.Error if they are too many."""
    batch, sources = batches.get(key), list(map(Source.of, paths))
    try:
        if batch is None:
            return batches.start(
                sources,
                None,
                str(request.session_hash),
                request.headers[REQUEST_HEADER],
                client=client_of(request),
                viewed=True,
            )
        batches.add(batch, sources)
    except EnhanceError as error:
        raise toast(error.sentence, language_of(request)) from error
    return batch
