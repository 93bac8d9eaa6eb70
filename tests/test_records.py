from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enhance.errors import EnhanceError, OptionsError
from enhance.options import Options
from enhance.records import Face, Photo, Source


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("upscale", 0, "1, 2, 3 or 4"),
        ("upscale", 5, "1, 2, 3 or 4"),
        ("upscale", 2.5, "1, 2, 3 or 4"),
        ("restorer", "magic", "bundled, none"),
        ("background", "", "lanczos, realesr-general-x4v3, compact"),
        ("working_size", "half", "auto, full"),
        ("face_colours", "grey", "photo, model"),
        ("format", "gif", "same, jpeg, png, webp"),
        ("metadata", "some", "keep, no-location, strip"),
        ("faces", "smallest", "all, largest, center"),
        ("detector", "eyes", "retinaface-mobilenet, retinaface-r50"),
        ("masker", "tape", "feather, parsenet"),
        ("weight", -0.01, "between 0 and 1"),
        ("weight", 1.01, "between 0 and 1"),
        ("weight", float("nan"), "between 0 and 1"),
        ("background_weight", 1.5, "between 0 and 1"),
        ("face_threshold", 0, "between 0 and 1"),
        ("face_threshold", 1, "between 0 and 1"),
        ("face_threshold", float("nan"), "between 0 and 1"),
        ("min_face", 0, "at least 1 pixel"),
        ("tile", 31, "between 32 and 4096"),
        ("tile", 4097, "between 32 and 4096"),
        ("quality", 0, "between 1 and 100"),
        ("quality", 101, "between 1 and 100"),
    ],
)
def test_an_option_out_of_range_is_refused_with_a_sentence(
    option: str, value: Any, allowed: str
) -> None:
    with pytest.raises(OptionsError) as caught:
        Options(**{option: value})
    sentence = str(caught.value)
    assert sentence.startswith(f"{option} must be ")
    assert allowed in sentence
    assert str(value) in sentence
    assert sentence.endswith(".")
    assert isinstance(caught.value, EnhanceError)


@pytest.mark.parametrize(
    "values",
    [
        {"upscale": 1, "weight": 0.0, "tile": 32, "quality": 1, "min_face": 1},
        {"upscale": 4, "weight": 1.0, "tile": 4096, "quality": 100, "face_threshold": 0.999},
        {"restorer": "none", "background": "realesrgan", "format": "webp"},
    ],
)
def test_the_ends_of_every_range_are_allowed(values: dict[str, Any]) -> None:
    options = Options(**values)
    assert {name: getattr(options, name) for name in values} == values


def test_options_cannot_be_changed_behind_a_run() -> None:
    options = Options()
    with pytest.raises(FrozenInstanceError):
        options.upscale = 4  # type: ignore[misc]


def test_a_source_is_called_what_its_path_says() -> None:
    assert Source.of("some/folder/Ömer 1.jpg") == Source(
        Path("some/folder/Ömer 1.jpg"), "Ömer 1.jpg"
    )


def test_sizes_are_width_by_height() -> None:
    assert Photo("a", np.zeros((2, 3, 3), np.uint8), "PNG").size == (3, 2)
    face = Face((10, 20, 40, 35), 0.9, ())
    assert face.size == 15
    assert face.centre == (25, 27.5)
