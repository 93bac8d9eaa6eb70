"""The settings panel without a browser."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import gradio as gr

from enhance.pipeline.estimates import Estimator
from enhance.web.page.presets import PRESETS
from enhance.web.page.settings_panel import SettingsPanel

FILES = [{"path": "/nowhere/photo.jpg"}]


def test_a_late_answer_does_not_replace_that_to_a_later_question() -> None:
    """While the models are loading, answers wait for the estimate and may overtake one another."""
    estimator = Estimator(lambda: None)
    with gr.Blocks() as page:
        panel = SettingsPanel(estimator, may_download=False)
        panel.connect(page, gr.File(), gr.Markdown())

    def ask(session: str, preset: str) -> asyncio.Task[Any]:
        request: Any = SimpleNamespace(session_hash=session, headers={})
        values = panel.settings.values(PRESETS[preset])
        return asyncio.ensure_future(panel._changed(request, FILES, *values))

    async def answers() -> list[Any]:
        asked = []
        for session, preset in (("one", "automatic"), ("one", "old"), ("two", "fast")):
            asked.append(ask(session, preset))
            await asyncio.sleep(0)  # they begin in this order
        estimator.loading_ended()
        return [await each for each in asked]

    with ThreadPoolExecutor(1) as apart:  # Playwright's loop runs in this thread
        late, newest, other = apart.submit(asyncio.run, answers()).result()
    assert panel.preset not in late and panel.address not in late
    assert newest[panel.preset]["value"] == "old"
    assert other[panel.preset]["value"] == "fast"
