"""The list of all models, against what there really is."""

from pathlib import Path

import pytest

from enhance.cli import main
from enhance.models.catalogue import weight_files
from enhance.models.files import COMPACT, FACE, RETINAFACE_MOBILENET, X4PLUS_BIN
from enhance.models.inventory import inventory


def test_only_what_is_bundled_is_present_without_a_download(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ENHANCE_WEIGHTS_DIR", str(tmp_path))
    listed = list(inventory())
    assert {model["name"] for model in listed if not model["present"]} <= set(weight_files())
    assert all(model["present"] == model["bundled"] for model in listed)
    assert all(model["about"] and model["licence"] for model in listed)


def test_the_command_warns_of_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    for model in inventory():
        lines = printed[printed.index(f"{model['kind']:11}{model['name']} ") :].splitlines()
        assert model["about"] in lines[0]
        assert model["licence"] in lines[1]
        assert model["noncommercial"] == ("Not cleared for commercial use." in lines[1])


def test_bundled_sizes_are_those_of_the_packages() -> None:
    sizes = {model["name"]: model["bytes"] for model in inventory() if model["bundled"]}
    x4plus = len(X4PLUS_BIN.read())
    assert sizes == {
        "bundled": len(FACE.read()),
        "realesrgan": x4plus,
        "retinaface-mobilenet": len(RETINAFACE_MOBILENET.read()),
        "lanczos": 0,
        "compact": len(COMPACT.read()),
        "opencv": 0,
        "feather": 0,
    }
