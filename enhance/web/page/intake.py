"""How photos come into the batch of a page, and how they are taken out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.records import Source
from enhance.web.batches.batch import Batch
from enhance.web.batches.handed import photos_of
from enhance.web.batches.store import BatchStore
from enhance.web.language import language_of, toast
from enhance.web.log import REQUEST_HEADER
from enhance.web.page.look import Tab, tab_of
from enhance.web.page.viewed import shown_at
from enhance.web.page.widgets import Sent, Shown, sent_by
from enhance.web.server.clients import client_of

# A link to the page that somebody shares must not show their photos.
TAKE_KEY = """(key) => {
  const address = new URL(location), handed = address.searchParams.get('photos') || '';
  address.searchParams.delete('photos');
  if (handed) history.replaceState(null, '', address);
  return [key, handed];
}"""
"""A function in JavaScript from the batch's key to that and the key, in the page's address, of
photos that another program has handed over."""


class Intake:
    """The handlers for photos that come and go."""

    def __init__(self, batches: BatchStore, key: gr.Textbox, shown: Callable[[Tab], Shown]) -> None:
        """key: has the batch's key. shown: makes what the page then shows of the batch."""
        self._batches = batches
        self._key = key
        self._shown = shown

    def add(self, request: gr.Request, key: str, files: Sent) -> Shown:
        """Take in photos that were uploaded."""
        return self._take_in(request, key, [Path(file["path"]) for file in files or ()])

    def sample(self, path: Path) -> Callable[[gr.Request, str], Shown]:
        """A handler that takes in this photo."""

        def add(request: gr.Request, key: str) -> Shown:
            return self._take_in(request, key, [path])

        return add

    def handed(self, request: gr.Request, key: str, handed: str) -> Shown:
        """Take in the photos that another program has handed over for the page."""
        photos = photos_of(Path(get_upload_folder()), handed)
        if handed and not photos:
            sentence = say("These photos have expired. Open them again.")
            raise toast(sentence, language_of(request))
        return self._take_in(request, key, photos)

    def remove(self, request: gr.Request, key: str, event: gr.EventData) -> Shown:
        """Take a photo out."""
        tab = tab_of(self._batches, key, request)
        file = sent_by(event).get("file")
        index = shown_at(tab, file.get("url")) if isinstance(file, dict) else None
        if index is not None:
            tab.remove(index)
        return self._shown(tab)

    def _take_in(self, request: gr.Request, key: str, paths: list[Path]) -> Shown:
        if not paths:
            return {self._key: gr.skip()}  # photos may have been added meanwhile
        try:
            batch = self._batch_with(request, key, list(map(Source.of, paths)))
        except EnhanceError as error:
            raise toast(error.sentence, language_of(request)) from error
        return {self._key: batch.key, **self._shown(Tab.of(batch, request))}

    def _batch_with(self, request: gr.Request, key: str, sources: list[Source]) -> Batch:
        """The batch of the page, or a new one, with these photos added. Raises EnhanceError."""
        batch = self._batches.get(key)
        if batch is None:
            return self._batches.start(
                sources,
                None,
                str(request.session_hash),
                request.headers[REQUEST_HEADER],
                client=client_of(request),
                viewed=True,
            )
        self._batches.add(batch, sources)
        return batch
