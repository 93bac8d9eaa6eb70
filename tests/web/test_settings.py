"""The settings panel without a browser."""

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


def test_the_page_asks_again_until_the_models_are_loaded(tmp_path: Path) -> None:
    engine = LocalEngine(lambda: load_enhancer(Setup(device="cpu"), Limits()), Limits())
    batches = BatchStore(engine, tmp_path, Limits())
    key = batches.start([Source.of(SAMPLES / "group.jpg")], None, "one").key
    with gr.Blocks() as page:
        panel, estimate = SettingsPanel(batches, may_download=False), gr.Markdown()
        panel.connect(page, gr.Textbox(), estimate)

    def ask(key: str) -> dict[Any, Any]:
        request: Any = SimpleNamespace(session_hash="one", headers={})
        return panel._changed(request, key, *astuple(PRESETS["old"]))

    with closing(engine):
        assert "active" not in ask("")[panel.clock], "its answer may come late"
        early = ask(key)
        engine.load()
        late = ask(key)
    assert early[panel.clock]["active"] and not late[panel.clock]["active"]
    assert early[estimate].startswith("The models are still loading")
    assert late[estimate].startswith("1 photo: about")
    assert early[panel.preset]["value"] == late[panel.preset]["value"] == "old"
