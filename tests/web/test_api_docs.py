"""docs/api.md: its examples run, and it knows every field of a report."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from enhance.records import Failure, Report
from tests.node import node_modules, run
from tests.server import ROOT, SAMPLES, Server

TEXT = (ROOT / "docs" / "api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```(python|js|sh)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("language", "code"), EXAMPLES)
def test_examples_run(language: str, code: str, server: Server, tmp_path: Path) -> None:
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        shutil.copy(SAMPLES / "small_portrait.jpg", tmp_path / name)
    assert "http://127.0.0.1:7860" in code
    code = code.replace("http://127.0.0.1:7860", server.url)
    if language == "js":
        (tmp_path / "node_modules").symlink_to(node_modules())
        script = tmp_path / "example.mjs"
        script.write_text(code)
        printed = run(script, cwd=tmp_path)
    else:
        command = [sys.executable, "-c"] if language == "python" else ["sh", "-euc"]
        done = subprocess.run(
            [*command, code], cwd=tmp_path, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        printed = done.stdout
    if "health" in code:
        assert "ready" in printed or "bundled" in printed
    elif "a.jpg" in code and "cancel" not in code:
        assert "a_enhanced." in printed and "b_enhanced." in printed
    else:
        assert re.search(r"(photo|a)_enhanced\.jpg", printed)
    if language == "sh" and "-o photo_enhanced.jpg" in code:
        assert (tmp_path / "photo_enhanced.jpg").stat().st_size > 0


def test_there_are_examples_of_every_kind() -> None:
    assert {language for language, _ in EXAMPLES} == {"python", "js", "sh"}


@pytest.mark.parametrize("kind", [Report, Failure])
def test_every_field_of_a_report_is_explained(kind: type) -> None:
    assert not {f.name for f in fields(kind)} - set(re.findall(r"`(\w+)`", TEXT))
