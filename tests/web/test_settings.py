"""The settings panel without a browser."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Setup
from enhance.pipeline.enhancer import load_enhancer
from enhance.records import Source
from enhance.web.batches.store import BatchStore
from enhance.web.page.presets import PRESETS
from enhance.web.page.settings_panel import SettingsPanel
from tests.server import SAMPLES


def test_a_late_answer_does_not_replace_that_to_a_later_question(tmp_path: Path) -> None:
    """While the models are loading, answers wait for the estimate and may overtake one another."""
    engine = LocalEngine(lambda: load_enhancer(Setup(device="cpu"), Limits()), Limits())
    batches = BatchStore(engine, tmp_path, Limits())
    key = batches.start([Source.of(SAMPLES / "group.jpg")], None, "one").key
    with gr.Blocks() as page:
        panel = SettingsPanel(batches, may_download=False)
        panel.connect(page, gr.Textbox(), gr.Markdown())

    def ask(session: str, preset: str, key: str = key) -> asyncio.Task[Any]:
        request: Any = SimpleNamespace(session_hash=session, headers={})
        values = astuple(PRESETS[preset])
        return asyncio.ensure_future(panel._changed(request, key, *values))

    async def answers() -> list[Any]:
        asked = []
        for session, preset in (("one", "automatic"), ("one", "old"), ("two", "fast")):
            asked.append(ask(session, preset))
            await asyncio.sleep(0)  # they begin in this order
        asked.append(ask("two", "old", ""))  # by a page that was just opened
        await asyncio.sleep(0)
        batches.estimator.loading_ended()
        return [await each for each in asked]

    with closing(engine), ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread
        late, newest, other, opened = apart.submit(asyncio.run, answers()).result()
    assert panel.preset not in late and panel.address not in late
    assert newest[panel.preset]["value"] == "old"
    assert other[panel.preset]["value"] == "fast"
    assert panel.preset not in opened
