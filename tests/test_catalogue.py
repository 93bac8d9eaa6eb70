"""The catalogue's rows are complete and well formed; everything else follows them."""

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest

from enhance.models.catalogue import MODELS, Kind, ModelSpec, models, option_values, weight_files
from enhance.models.files import WeightFile
from enhance.options import Options
from enhance.pipeline import build

ROOT = Path(__file__).parents[1]
FILES = weight_files()
TABLE = [(kind, model) for kind in get_args(Kind) for model in models(kind)]


def test_has_every_model_once() -> None:
    assert sorted(FILES) == [
        "gfpgan-1.2",
        "gfpgan-1.3",
        "gfpgan-1.4",
        "parsenet",
        "realesr-general-x4v3",
        "realesrgan-x2plus",
        "restoreformer",
        "retinaface-r50",
    ]
    assert len(TABLE) == len(MODELS)
    assert all(name == model.name for name, model in MODELS.items())
    assert len({file.filename for file in FILES.values()}) == len(FILES)
    assert len({file.sha256 for file in FILES.values()}) == len(FILES)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_model(model: ModelSpec) -> None:
    assert model.label and model.licence and model.about.endswith(".")
    assert (model.kind, model.architecture) in build._LOADERS
    assert (model.cost > 0) == (model.kind in ("restorer", "background"))
    assert Options(**{model.kind: model.name})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_tables_of_options_name_every_model(kind: Kind) -> None:
    page = (ROOT / "docs" / "options.md").read_text("utf-8")
    rows = re.findall(rf"^\| `{kind}` \|.*$", page, re.MULTILINE)
    assert len(rows) == 2, "in English and Chinese"
    for row in rows:
        assert set(option_values(kind)) <= {*re.findall(r"`([\w.-]+)`", row)}


@pytest.mark.parametrize("name", FILES)
def test_the_page_of_models_says_of_each_download_when_and_under_which_licence(name: str) -> None:
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `{re.escape(name)}` \| .*$", page, re.MULTILINE)
    model = MODELS[name]
    assert model.about.startswith("Use it ") and model.about in row
    assert model.licence in row
    assert f"{FILES[name].size / 1e6:.0f} MB" in row
    restricted = re.search(r"NVIDIA|NC-SA|not stated", model.licence)
    assert model.noncommercial == bool(restricted) == ("Not cleared for commercial use." in row)


def test_something_is_always_there_for_auto() -> None:
    for kind in ("restorer", "background"):
        for device in ("cpu", "cuda", "mps"):
            able = [model for model in models(kind) if device in model.auto]  # type: ignore[arg-type]
            assert not isinstance(able[-1].weights, WeightFile)


def test_a_row_that_is_added_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(MODELS["realesrgan-x2plus"], name="mine", label="Mine")
    monkeypatch.setitem(MODELS, "mine", row)
    assert Options(background="mine").background == "mine"
    assert option_values("background")[-1] == "mine"
    assert "mine" in weight_files()


@pytest.mark.parametrize("file", FILES.values(), ids=lambda file: file.filename)
def test_file(file: WeightFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert 1e6 < file.size < 1e9
    assert re.fullmatch(r"[\w.-]+\.pth", file.filename)
    official, *mirrors = file.folders
    assert official.startswith("https://github.com/")
    assert mirrors and all(folder.startswith("hf://") for folder in mirrors)
    for address in file.addresses():
        parts = urlsplit(address)
        assert (parts.scheme, parts.query, parts.fragment) == ("https", "", "")
        assert parts.path.endswith(f"/{file.filename}")


@pytest.mark.parametrize(
    ("endpoint", "server"),
    [
        (None, "https://huggingface.co"),
        ("", "https://huggingface.co"),
        ("https://mirror.example/", "https://mirror.example"),
    ],
)
def test_mirror_addresses(
    endpoint: str | None, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    if endpoint is not None:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert FILES["gfpgan-1.4"].addresses() == (
        "https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth",
        f"{server}/leonelhs/gfpgan/resolve/main/GFPGANv1.4.pth",
        f"{server}/datasets/Gourieff/ReActor/resolve/main/models/facerestore_models/GFPGANv1.4.pth",
    )
