"""The table of options: everything else follows from it, and old names still work."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from enhance.arguments import options_of, photos_parser
from enhance.errors import OptionsError
from enhance.i18n import Sentence
from enhance.options import GROUPS, OPTIONS, Options
from enhance.web.language import CHINESE
from enhance.web.page.settings import from_query, query_of

ROOT = Path(__file__).parents[1]
ADDED = """    glow: float = FACES.option(
        0.25,
        text("Glow of faces"),
        text("100% as bright as a lamp at 1."),
        least=0,
        most=1,
        step=0.05,
    )

    def output_size("""
ASK = """
import json
import gradio as gr
from enhance import Options
from enhance.arguments import photos_parser
from enhance.errors import OptionsError
from enhance.web.page.settings import draw_options, from_query, query_of
from scripts.option_tables import option_table

with gr.Blocks() as blocks:
    inputs, _ = draw_options()
    gr.Button().click(lambda **_: None, inputs_kwargs=inputs, api_name="enhance")
try:
    Options(glow=2)
except OptionsError as error:
    refused = str(error)
print(json.dumps({
    "help": photos_parser().format_help(),
    "parameters": blocks.get_api_info()["named_endpoints"]["/enhance"]["parameters"],
    "widgets": [part["props"] for part in blocks.get_config_file()["components"]],
    "table": option_table("en"),
    "address": [query_of(Options(glow=0.75)), from_query("?glow=0.5")],
    "refused": refused,
}))
"""


def made(**values: Any) -> Options:
    """Options with names and values that the types do not allow."""
    return Options(**values)


def test_a_new_option_is_one_edit(tmp_path: Path) -> None:
    """An option that is added to the table, and nowhere else, is everywhere."""
    for folder in ("enhance", "scripts", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, copy_function=os.symlink)
    table = tmp_path / "enhance" / "options.py"
    before = table.read_text("utf-8")
    table.unlink()
    table.write_text(before.replace("    def output_size(", ADDED, 1), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "--glow GLOW" in found["help"] and "Glow of faces. 100% as bright" in found["help"]
    (parameter,) = (p for p in found["parameters"] if p["parameter_name"] == "glow")
    assert parameter["parameter_default"] == 0.25
    assert (
        parameter["type"]["description"] == "Glow of faces. 100% as bright as a lamp at 1. 0 to 1."
    )
    assert (parameter["type"]["minimum"], parameter["type"]["maximum"]) == (0, 1)
    (slider,) = (props for props in found["widgets"] if props.get("label") == "Glow of faces")
    assert slider["name"] == "slider" and slider["info"] == "100% as bright as a lamp at 1."
    assert "| `glow` | 0 … 1 | `0.25` | Glow of faces: 100% as bright" in found["table"]
    assert found["address"] == ["?glow=0.75", {"glow": 0.5}]
    assert found["refused"] == "glow must be between 0 and 1, not 2."


def test_the_table_is_complete() -> None:
    types = get_type_hints(Options)
    for name, spec in OPTIONS.items():
        assert spec.group in GROUPS
        assert spec.checked(spec.default) == getattr(Options(), name) == spec.default
        said = [spec.label, spec.help, spec.unit, *spec.words.values()]
        sizes = OPTIONS["size"].words.values()
        assert {text for text in said if text} <= {*CHINESE, *sizes, "JPEG", "PNG", "WebP"}
        if get_origin(types[name]) is Literal:
            assert tuple(spec.words) == get_args(types[name])


def test_every_choice_is_offered_by_both_commands() -> None:
    for parser in (photos_parser(), photos_parser("run")):
        text = parser.format_help()
        for name in OPTIONS:
            assert f"--{name.replace('_', '-')}" in text
        assert not any(old in text for old in ("colours", "--upscale", "--longer-side"))


@pytest.mark.parametrize("arguments", [["--face-colours", "model"], ["--face-colors", "model"]])
def test_the_command_takes_old_names(arguments: list[str]) -> None:
    wanted = photos_parser().parse_args(["a.jpg", "-o", "out", *arguments])
    assert options_of(wanted) == Options(face_colors="model")


def test_the_command_switches_off_what_is_on_by_default() -> None:
    wanted = photos_parser().parse_args(["a.jpg", "-o", "out", "--no-only-restore-blurred"])
    assert options_of(wanted) == Options(only_restore_blurred=False)


@pytest.mark.parametrize(
    ("old", "size"),
    [
        ({"upscale": 3}, "3x"),
        ({"upscale": "1.50"}, "1.5x"),
        ({"longer_side": 2000}, "2000"),
        ({"longer_side": 0}, "auto"),
        ({"upscale": 3, "longer_side": "0"}, "3x"),
        ({"longer_side": 2000, "upscale": 3}, "2000"),
    ],
)
def test_what_said_the_size_in_version_0_2_still_does(old: dict[str, Any], size: str) -> None:
    assert made(**old) == replace(Options(), **old) == Options(size=size)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in old.items()]
    assert options_of(photos_parser().parse_args(["a.jpg", "-o", "out", *flags])).size == size
    query = "&".join(f"{name}={value}" for name, value in old.items())
    assert Options(**from_query(f"?{query}")).size == size
    assert query_of(made(**old)) == ("" if size == "auto" else f"?size={size}")


def test_the_address_takes_old_names() -> None:
    assert from_query("?face_colours=model&weight=0.5") == {"face_colors": "model", "weight": 0.5}
    assert query_of(Options(face_colors="model")) == "?face_colors=model"


def test_the_constructor_takes_old_names() -> None:
    options = made(face_colours="model")
    assert options == Options(face_colors="model")
    changed = replace(options, face_colours="photo")  # type: ignore[call-arg]
    assert changed == Options()
    with pytest.raises(OptionsError, match="face_colors must be one of photo, model"):
        made(face_colours="gray")
    with pytest.raises(TypeError):
        made(face_color="model")


def test_options_can_travel_and_be_keys() -> None:
    options = made(size="2.0x", tile=64.0, weight=1)
    assert (options.size, type(options.tile), type(options.weight)) == ("2x", int, float)
    assert pickle.loads(pickle.dumps(options)) == options
    assert {options: 1}[replace(options)] == 1
    assert Options(only_restore_blurred=1).only_restore_blurred is True  # type: ignore[arg-type]


def test_a_refusal_is_short_whatever_was_sent() -> None:
    for name in ("size", "tile", "faces"):
        with pytest.raises(OptionsError) as caught:
            made(**{name: "x" * 10**6})
        assert isinstance(caught.value.sentence, Sentence)
        assert len(str(caught.value)) < 250


def test_what_cannot_be_in_an_address_is_left_out() -> None:
    query = "?upscale=3.0&tile=much&only_restore_blurred=True&metadata=strip&files=x"
    assert from_query(query) == {"size": "3.0x", "only_restore_blurred": True}
    assert from_query(None) == from_query(7) == {}
    assert query_of(Options(metadata="strip")) == ""
