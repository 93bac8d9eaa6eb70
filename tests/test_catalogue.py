"""The catalogue's rows are complete and well formed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from enhance.catalogue import CATALOGUE, WeightFile

FILES = list(CATALOGUE.values())


def test_has_every_file_once() -> None:
    assert sorted(CATALOGUE) == [
        "gfpgan-1.2",
        "gfpgan-1.3",
        "gfpgan-1.4",
        "parsenet",
        "realesr-general-x4v3",
        "realesrgan-x2plus",
        "restoreformer",
        "retinaface-r50",
    ]
    assert all(name == file.name for name, file in CATALOGUE.items())
    assert len({file.filename for file in FILES}) == len(FILES)
    assert len({file.sha256 for file in FILES}) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_row(file: WeightFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert 1e6 < file.size < 1e9
    assert re.fullmatch(r"[\w.-]+\.pth", file.filename)
    assert file.licence and file.about.endswith(".")
    official, *mirrors = file.urls
    assert official.startswith("https://github.com/")
    assert mirrors and all(url.startswith("hf://") for url in mirrors)
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
    assert CATALOGUE["gfpgan-1.4"].addresses() == (
        "https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth",
        f"{server}/leonelhs/gfpgan/resolve/main/GFPGANv1.4.pth",
        f"{server}/datasets/Gourieff/ReActor/resolve/main/models/facerestore_models/GFPGANv1.4.pth",
    )
