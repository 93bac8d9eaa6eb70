"""The page: drop photos, watch each one appear enhanced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from enhance.catalogue import CATALOGUE, WeightFile
from enhance.choices import required_weights
from enhance.downloads import fetch, locate
from enhance.errors import EnhanceError
from enhance.estimates import Estimator, readable
from enhance.images import EXTENSIONS, size_of
from enhance.records import Source
from enhance.ui.batches import Batch, Batches, Entry
from enhance.ui.settings import Settings
from enhance.ui.status import caption, progress, status_widget

MODEL_QUEUE = "model"
"""Every event that uses the model has this concurrency id, with a limit of 1."""

Shown = dict[Any, Any]
"""What an event changes: widget → value; the widgets that are not in it stay as they are."""

_WAITING = "Waiting for the model …"
_PATIENCE = 20  # seconds that the estimate waits for models that are still loading
_PROGRESS = gr.Progress()
_SLICE = 2  # photos per turn in the queue: nobody waits for the whole of another's batch

CSS = """
#title p { margin: 0; }
#gallery .grid-container { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.gradio-container { max-width: 1400px !important; margin: auto; }
#samples .gallery-item img { object-fit: cover; }
"""


class EstimatorSlot:
    """Holds the estimator once the models are loaded; its value is None before."""

    def __init__(self) -> None:
        self.value: Estimator | None = None
        self._filled = threading.Event()

    def fill(self, estimator: Estimator) -> None:
        """The models are loaded."""
        self.value = estimator
        self._filled.set()

    def wait(self) -> Estimator | None:
        """The estimator, or None if the models take longer than a page should wait for them."""
        self._filled.wait(_PATIENCE)
        return self.value


class Page:
    """Widgets and their handlers over `batches`.

    Work is done in slices: a click on Enhance makes a batch and draws a ticket; each ticket
    queues for the model, enhances the next photos, and draws another while some are left. So
    between two slices other people's photos get their turn.
    """

    def __init__(
        self, page: gr.Blocks, batches: Batches, estimator: EstimatorSlot, samples: list[Path]
    ) -> None:
        """Draws into `page`, whose context is open. samples: photos offered for a try."""
        self._batches = batches
        self._estimator = estimator
        self._samples = samples
        self.page = page
        self._draw()
        self._connect()

    def _draw(self) -> None:
        gr.Markdown(
            "# Photo enhancer\n"
            "Restores faces and enlarges photos. Drop a batch: each photo appears as soon as it "
            "is done.",
            elem_id="title",
        )
        with gr.Row():
            with gr.Column(scale=4, min_width=320):
                self.files = gr.File(
                    file_count="multiple",
                    file_types=list(EXTENSIONS),
                    label="Your photos",
                    height=220,
                    elem_id="files",
                )
                self.samples = gr.Dataset(
                    components=[gr.Image(render=False)],
                    samples=[[str(path)] for path in self._samples],
                    label="Or try one of these (public domain)",
                    type="index",
                    elem_id="samples",
                    visible=bool(self._samples),
                )
                self.estimate = gr.Markdown(elem_id="estimate")
                with gr.Row():
                    self.enhance = gr.Button("Enhance", variant="primary", elem_id="enhance")
                    self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop")
                    self.resume = gr.Button(
                        "Continue with the rest", visible=False, elem_id="resume"
                    )
                self.settings = Settings()
                self.models = gr.Markdown(elem_id="models")
                self.fetch = gr.Button("Download", visible=False, elem_id="fetch")
            with gr.Column(scale=7, min_width=320):
                self.status = status_widget()
                self.gallery = gr.Gallery(
                    label="Enhanced photos",
                    columns=3,
                    height=340,
                    object_fit="contain",
                    fit_columns=False,
                    allow_preview=False,
                    buttons=[],
                    interactive=False,
                    elem_id="gallery",
                )
                self.slider = gr.ImageSlider(
                    label="Before and after (choose a photo above)",
                    interactive=False,
                    height=520,
                    type="filepath",
                    buttons=["fullscreen"],
                    elem_id="slider",
                )
                with gr.Row():
                    self.download = gr.DownloadButton(
                        "Download this photo", interactive=False, elem_id="download"
                    )
                    self.zip = gr.Button("Download all (ZIP)", interactive=False, elem_id="zip")
                # One click on the visible button makes the file, then clicks this one.
                self.zip_file = gr.DownloadButton(visible="hidden", elem_id="zip-file")
        self.batch = gr.State("")
        self.ticket = gr.State(0)

    def _connect(self) -> None:
        private: dict[str, Any] = {"api_visibility": "private"}
        quick = private | {"queue": False, "show_progress": "hidden"}
        shown = [
            self.ticket,
            self.status,
            self.gallery,
            self.slider,
            self.download,
            self.zip,
            self.enhance,
            self.stop,
            self.resume,
        ]
        self.samples.click(self._take_sample, self.samples, self.files, **quick)
        gr.on(
            [self.files.change, *(w.change for w in self.settings.widgets)],
            self._estimate,
            [self.files, *self.settings.widgets],
            self.estimate,
            trigger_mode="always_last",
            **quick,
        )
        gr.on(
            [self.page.load, *(w.change for w in self.settings.widgets)],
            self._models,
            self.settings.widgets,
            [self.models, self.fetch],
            trigger_mode="always_last",
            **quick,
        )
        self.fetch.click(
            self._fetch,
            self.settings.widgets,
            [self.models, self.fetch],
            concurrency_id="download",
            show_progress_on=self.models,
            **private,
        )
        # Queued, because a State changed outside the queue does not fire its change event.
        self.enhance.click(
            self._begin,
            [self.files, self.ticket, *self.settings.widgets],
            [self.batch, *shown],
            show_progress="hidden",
            concurrency_limit=None,
            **private,
        )
        self.resume.click(
            self._resume,
            [self.batch, self.ticket],
            [self.ticket, self.status, self.enhance, self.stop, self.resume],
            show_progress="hidden",
            concurrency_limit=None,
            **private,
        )
        served = self.ticket.change(
            self._slice,
            [self.batch, self.ticket],
            shown,
            postprocess=False,  # values are made ready here, once, not again with every photo
            concurrency_id=MODEL_QUEUE,
            concurrency_limit=1,
            show_progress="minimal",
            show_progress_on=self.status,
            **private,
        )
        served.failure(  # refused by a full queue, or broken
            self._give_up,
            self.batch,
            [self.status, self.enhance, self.stop, self.resume],
            **quick,
        )
        self.stop.click(self._stop, self.batch, self.status, postprocess=False, **quick)
        self.gallery.select(self._select, self.batch, [self.slider, self.download], **quick)
        self.zip.click(self._zip, self.batch, self.zip_file, **private).success(
            None, js="() => document.querySelector('#zip-file').click()", **private
        )

    def _take_sample(self, index: int) -> list[str]:
        return [str(self._samples[index])]

    def _estimate(self, files: list[str] | None, *values: Any) -> str:
        """What the work will cost, before anyone commits to it."""
        if not files:
            return ""
        estimator = self._estimator.wait()
        if estimator is None:
            return "The models are still loading; you can already start."
        options = self.settings.options(*values)
        sizes = [size for size in map(size_of, map(Path, files)) if size]
        seconds = estimator.total(sizes, options)
        photos = "1 photo" if len(files) == 1 else f"{len(files)} photos"
        return f"{photos}: about {readable(seconds)}, if there is one face in each."

    def _models(self, *values: Any) -> tuple[str, Any]:
        """Which of the chosen models are not on this machine, and their licences."""
        missing = self._missing(values)
        if not missing:
            return "", gr.update(visible=False)
        lines = [
            f"- **{file.name}** ({file.size / 1e6:.0f} MB) is not on this machine. {file.about} "
            f"*Licence: {file.licence}.*"
            for file in missing
        ]
        megabytes = sum(file.size for file in missing) / 1e6
        return "\n".join(lines), gr.update(visible=True, value=f"Download ({megabytes:.0f} MB)")

    def _fetch(self, *values: Any, progress: gr.Progress = _PROGRESS) -> tuple[str, Any]:
        """Download what is missing, because someone pressed the button."""
        for file in self._missing(values):
            shown = -1

            def show(done: int, size: int, file: WeightFile = file) -> None:
                nonlocal shown
                if (percent := 100 * done // size) != shown:
                    shown = percent
                    progress(done / size, desc=f"Downloading {file.filename}")

            try:
                fetch(file, show)
            except EnhanceError as error:
                raise gr.Error(str(error), title="Download failed", duration=None) from error
        return self._models(*values)

    def _missing(self, values: tuple[Any, ...]) -> list[WeightFile]:
        names = required_weights(self.settings.options(*values))
        files = (CATALOGUE[name] for name in names)
        return [file for file in files if locate(file) is None]

    def _begin(
        self, files: list[str] | None, ticket: int, request: gr.Request, *values: Any
    ) -> Shown:
        """Make the batch and draw its first ticket."""
        if not files:
            raise gr.Error("Drop at least one photo first.", title="No photo")
        try:
            options = self.settings.options(*values)
        except EnhanceError as error:
            raise gr.Error(str(error)) from error
        sources = [Source.of(path) for path in files]
        batch = self._batches.start(sources, options, str(request.session_hash))
        return {
            self.batch: batch.key,
            self.ticket: ticket + 1,
            self.status: progress(batch, _WAITING),
            self.gallery: None,
            self.slider: None,
            self.download: gr.update(interactive=False),
            self.zip: gr.update(interactive=False),
            **self._buttons(batch),
        }

    def _resume(self, key: str, ticket: int) -> Shown:
        """Draw a ticket for what a stop left over."""
        batch = self._batch(key)
        batch.resume(self._batches.engine)
        return {
            self.ticket: ticket + 1,
            self.status: progress(batch, _WAITING),
            **self._buttons(batch),
        }

    def _slice(self, key: str, ticket: int) -> Iterator[Shown]:
        """Enhance the next photos of a batch, showing each as soon as it is done."""
        batch = self._batch(key)
        yield {self.status: progress(batch, self._headline(batch))}
        for done, entry in enumerate(batch.records(), start=1):
            if entry.report and self._estimator.value:
                self._estimator.value.learn(entry.report)
            shown = self._results(batch)
            if entry.state == "done" and len(batch.finished) == 1:
                shown |= {**self._looking_at(entry), self.zip: gr.update(interactive=True)}
            yield shown
            if done == _SLICE:
                break
        last = self._results(batch) | self._buttons(batch)
        if batch.remaining:
            last[self.ticket] = ticket + 1
        yield last

    def _give_up(self, key: str) -> Shown:
        """The batch got no further turn: keep what is finished, offer the rest."""
        batch = self._batch(key)
        batch.abandon()
        return {self.status: progress(batch, self._headline(batch)), **self._buttons(batch)}

    def _results(self, batch: Batch) -> Shown:
        """A batch as it stands, for an event that does not postprocess."""
        return {
            self.status: progress(batch, self._headline(batch)),
            self.gallery: [_gallery_item(entry) for entry in batch.finished],
        }

    def _buttons(self, batch: Batch) -> Shown:
        """Enhance, Stop and Continue, as the batch's state asks for."""
        working = bool(batch.remaining)
        return {
            self.enhance: gr.update(visible=not working),
            self.stop: gr.update(visible=working),
            self.resume: gr.update(visible=bool(batch.stopped)),
        }

    def _headline(self, batch: Batch) -> str:
        total, left = len(batch.entries), batch.remaining
        if left:
            text = f"Enhancing photo {total - len(left) + 1} of {total}"
            estimator = self._estimator.value
            if estimator is None:
                return f"{text}, once the models are loaded …"
            seconds = estimator.total((e.size for e in left if e.size), batch.options)
            return f"{text}, about {readable(seconds)} left"
        counts = dict.fromkeys(("done", "failed", "stopped"), 0)
        for entry in batch.entries:
            counts[entry.state] += 1
        parts = [f"{counts['done']} of {total} photos enhanced"]
        parts += [f"{counts[s]} {s}" for s in ("failed", "stopped") if counts[s]]
        return ", ".join(parts) + "."

    def _stop(self, key: str) -> dict[str, Any]:
        batch = self._batch(key)
        batch.stop()
        return progress(batch, "Stopping …")

    def _select(self, key: str, event: gr.SelectData) -> tuple[Any, Any]:
        """The chosen photo in the slider and behind the download button."""
        entry = self._batch(key).finished[event.index]
        return (
            gr.update(value=(str(entry.before), str(entry.viewable)), label=caption(entry)),
            gr.update(value=str(entry.file), interactive=True),
        )

    def _looking_at(self, entry: Entry) -> Shown:
        """The same for events that do not postprocess."""
        pair = [_file(entry.before), _file(entry.viewable)]
        return {
            self.slider: gr.update(value=pair, label=caption(entry)),
            self.download: gr.update(value=_file(entry.file), interactive=True),
        }

    def _zip(self, key: str) -> str:
        return str(self._batch(key).zip())

    def _batch(self, key: str) -> Batch:
        batch = self._batches.get(key)
        if batch is None:
            raise gr.Error("These results have expired. Enhance the photos again.")
        return batch


def _file(path: Path | None) -> dict[str, Any]:
    """A file as Gradio sends it to a page: served from its own folder, not copied or hashed."""
    assert path is not None
    return {
        "path": str(path),
        "url": f"/gradio_api/file={quote(str(path))}",
        "orig_name": path.name,
        "meta": {"_type": "gradio.FileData"},
    }


def _gallery_item(entry: Entry) -> dict[str, Any]:
    return {"image": _file(entry.shown), "caption": caption(entry)}
