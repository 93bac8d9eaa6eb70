"""A slice of the soak: many photos from clients of all kinds, and what they leave behind."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from benchmarks.soak import soak
from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import load_enhancer
from enhance.web.batches.batch import Batch
from enhance.web.batches.store import BatchStore
from enhance.web.gradio_api import Api
from enhance.web.log import REQUEST_HEADER
from enhance.web.page.settings import draw_options
from tests.server import SAMPLES, running


def test_every_good_photo_of_those_who_stay_is_enhanced(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        clients, tenths = soak(server, 100, seed=1)
        log = server.log.read_text()
    assert clients.broken == [] and "Traceback" not in log
    seen = clients.seen
    assert sum(seen.values()) == 100 and min(seen.values()) > 0
    assert set(seen) == {"good, enhanced", "bad, refused", "cancelled", "abandoned"}
    first, last = tenths[1].rest, tenths[-1].rest
    assert last.descriptors <= first.descriptors + 8 and last.threads <= first.threads + 8


def test_who_leaves_while_the_batch_starts_leaves_nothing_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_start, starting = threading.Event(), threading.Event()

    class Slow(BatchStore):
        kept: Batch | None = None

        def start(self, *arguments: Any, **more: Any) -> Batch:
            starting.set()
            may_start.wait(60)
            self.kept = super().start(*arguments, **more)
            return self.kept

    engine = LocalEngine(lambda: load_enhancer(Setup(device="cpu"), Limits()), Limits())
    batches = Slow(engine, tmp_path, Limits())
    with gr.Blocks():
        api = Api(batches, draw_options()[0])

    async def leave() -> None:
        photos = [str(SAMPLES / "group.jpg")] * 2
        options = asdict(Options())
        request: Any = SimpleNamespace(
            session_hash="one",
            headers={REQUEST_HEADER: "-"},
            state=SimpleNamespace(client=""),
        )
        events = api.enhance_batch(photos, request, **options)
        first = asyncio.ensure_future(events.__anext__())
        assert await asyncio.to_thread(starting.wait, 60)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        may_start.set()
        for _ in range(500):  # while the server lives on
            await asyncio.sleep(0.01)
            if batches.kept and not batches.alive():
                break

    with closing(engine), ThreadPoolExecutor() as apart:  # from the loop of the browser's tests
        apart.submit(asyncio.run, leave()).result()
    assert batches.kept and [entry.state for entry in batches.kept.entries] == ["stopped"] * 2
    assert batches.alive() == []
