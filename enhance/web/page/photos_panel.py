"""How photos come into the batch of a page, and how they are taken out of it."""

from pathlib import Path
from typing import Any

import gradio as gr

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.names import output_stem
from enhance.photos import EXTENSIONS
from enhance.records import Source
from enhance.web.batches.store import BatchStore
from enhance.web.language import language_of, text, toast, translated
from enhance.web.log import REQUEST_HEADER
from enhance.web.page.actions import Actions
from enhance.web.page.look import Tab
from enhance.web.page.settings_panel import SettingsPanel
from enhance.web.page.viewed import shown_at
from enhance.web.page.widgets import CHANGES, PREPARED, QUICK, Shown, handler

# Labels of the photos offered to try the page with, by the stem of their files.
_SAMPLES = {
    "blurred_portrait": text("Blurred portrait"),
    "group": text("Group photo"),
    "old_print": text("Old print"),
    "small_portrait": text("Small portrait"),
}
_WAYS_IN = Path(__file__).with_name("ways_in.js").read_text("utf-8")
# The key, in the page's address, of photos that another program has handed over. A link to the page
# that somebody shares must not show their photos.
_TAKE_KEY = """() => {
  const address = new URL(location), handed = address.searchParams.get('photos') || '';
  address.searchParams.delete('photos');
  if (handed) history.replaceState(null, '', address);
  return handed;
}"""


class PhotosPanel:
    """Widgets for adding photos, the gallery of them, and their handlers."""

    def __init__(self, batches: BatchStore, samples: list[Path]) -> None:
        """Draw into the current column. samples: photos offered to try the page with."""
        self._batches = batches
        gr.Markdown(
            text(
                "Restores faces, removes noise, repairs old prints and enlarges photos. Drop in a "
                "batch, and each photo appears as soon as it is done."
            ),
            elem_id="about",
        )
        with gr.Row(elem_id="add"):
            self.files = gr.File(
                file_count="multiple",
                file_types=list(EXTENSIONS),
                label=text("Add photos"),
                elem_id="files",
            )
            gr.Button(text("Choose a folder"), size="sm", elem_id="folder")
        gr.Markdown(
            text("These are no photos, or could not be read, and were left out:"),
            elem_id="unread",
        )
        with gr.Column(elem_id="samples", visible=bool(samples)):
            gr.Markdown(text("Or try one of these (public domain):"))
            with gr.Row():
                self.samples = {
                    gr.Button(_SAMPLES[path.stem], icon=str(path), min_width=120): path
                    for path in samples
                }
        self.limits = gr.Markdown(elem_id="limits")
        # The key, in the page's address, of other photos. Empty, or it would count as a change.
        self.handed = gr.Textbox("", visible=False)
        self.gallery = gr.Gallery(
            label=text("Photos"),
            show_label=False,  # it would cover the first picture
            columns=4,
            object_fit="cover",
            fit_columns=False,
            allow_preview=False,
            buttons=[],
            interactive=True,
            elem_id="gallery",
        )

    def connect(self, page: gr.Blocks, actions: Actions, choices: SettingsPanel) -> None:
        """Wire the handlers. `actions` shows what becomes of the photos, `choices` what the work
        would cost."""
        self._key, self._last_key, self._shown = actions.key, actions.last_key, actions.shown
        page.load(self._limits, None, self.limits, **QUICK)
        page.load(None, js=_WAYS_IN, **QUICK)
        # What is dropped or taken out while the last such event is under way must not be lost.
        several = PREPARED | CHANGES | {"trigger_mode": "multiple"}
        batch = [self._key, self._last_key, *actions.widgets]
        choices.restored.then(None, None, self.handed, js=_TAKE_KEY, **QUICK).then(
            **choices.changed
        )
        added = [self.files.upload(self._take_files, [self._key, self.files], batch, **several)]
        handed = self.handed.change(self._take_handed, [self._key, self.handed], batch, **several)
        handed.then(**choices.changed)
        for button, path in self.samples.items():

            def take(request: gr.Request, key: str, path: Path = path) -> Shown:
                return self._take_in(request, key, [Source.of(path)])

            added.append(button.click(take, self._key, batch, **several))
        emptied: dict[str, Any] = {"fn": None, "outputs": self.files, "js": "() => null"} | QUICK
        for each in added:  # the next photos come alone
            each.then(**emptied).then(**choices.changed)
            each.failure(**emptied)
        self.gallery.delete(
            handler(self._batches, _remove, self._shown),
            self._key,
            actions.widgets,
            **several,
        ).then(**choices.changed)

    def _limits(self, request: gr.Request) -> str:
        limits = self._batches.limits
        sentence = say(
            "Up to {photos} photos, {megabytes:.0f} MB and {megapixels:.0f} megapixels each.",
            photos=limits.max_photos,
            megabytes=limits.max_bytes / 1e6,
            megapixels=limits.max_pixels / 1e6,
        )
        return translated(sentence, language_of(request))

    def _take_files(
        self, request: gr.Request, key: str, files: list[dict[str, Any]] | None
    ) -> Shown:
        """Take in photos that were uploaded, which Gradio has checked."""
        return self._take_in(request, key, [Source.of(file["path"]) for file in files or ()])

    def _take_handed(self, request: gr.Request, key: str, handed: str) -> Shown:
        """Take in the photos that another program has handed over for the page.

        Not their batch itself: whoever sent somebody the page's address with its key would see what
        is added there. Nor photos of a batch that was begun: links to its results have its key.
        """
        batch = self._batches.get(handed)
        entries = batch.entries if batch else []
        if handed and not (entries and all(entry.state == "new" for entry in entries)):
            sentence = say("These photos have expired. Open them again.")
            raise toast(sentence, language_of(request))
        own = [entry.source for entry in entries]
        # A program may give a photo any name, but the page should show only what a file can have.
        sources = [Source(each.path, f"{output_stem(each.name)}{each.path.suffix}") for each in own]
        return self._take_in(request, key, sources)

    def _take_in(self, request: gr.Request, key: str, sources: list[Source]) -> Shown:
        """Add photos to the batch of the page, or make one with them."""
        if not sources:
            return {self._key: gr.skip()}  # photos may have been added meanwhile
        batch = self._batches.get(key)
        try:
            if batch:
                self._batches.add(batch, sources)
            else:
                batch = self._batches.start(
                    sources,
                    None,
                    str(request.session_hash),
                    request.headers[REQUEST_HEADER],
                    client=request.state.client,
                    viewed=True,
                )
        except EnhanceError as error:
            raise toast(error.sentence, language_of(request)) from error
        keys = dict.fromkeys((self._key, self._last_key), batch.key)
        return keys | self._shown(Tab.of(self._batches, batch.key, request))


def _remove(tab: Tab, sent: dict[str, Any]) -> None:
    """Take a photo out."""
    if (index := shown_at(tab, sent.get("file"))) is not None:
        tab.remove(index)
