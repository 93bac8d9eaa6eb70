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
        ("upscale", 0, "between 0.25 and 4"),
        ("upscale", 4.01, "between 0.25 and 4"),
        ("upscale", float("nan"), "between 0.25 and 4"),
        ("longer_side", -1, "between 0 and 65535"),
        ("longer_side", 65_536, "between 0 and 65535"),
        ("restorer", "magic", "bundled, none"),
        ("background", "", "lanczos, realesr-general-x4v3, compact"),
        ("working_size", "half", "auto, full"),
        ("face_colors", "grey", "photo, model"),
        ("format", "gif", "same, jpeg, png, webp"),
        ("metadata", "some", "keep, no-location, strip"),
        ("faces", "smallest", "all, largest, center"),
        ("detector", "eyes", "retinaface-mobilenet, retinaface-r50"),
        ("masker", "tape", "feather, parsenet"),
        ("weight", -0.01, "between 0 and 1"),
        ("weight", 1.01, "between 0 and 1"),
        ("weight", float("nan"), "between 0 and 1"),
        ("background_weight", 1.5, "between 0 and 1"),
        ("face_threshold", 0, "between 0.01 and 0.99"),
        ("face_threshold", 1, "between 0.01 and 0.99"),
        ("face_threshold", float("nan"), "between 0.01 and 0.99"),
        ("min_face", 0, "between 1 and 512"),
        ("min_face", 513, "between 1 and 512"),
        ("only_restore_blurred", "no", "False, True"),
        ("upscale", "2", "between 0.25 and 4"),
        ("tile", None, "between 32 and 4096"),
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
        {"upscale": 0.25, "longer_side": 1, "weight": 0.0, "tile": 32, "quality": 1, "min_face": 1},
        {
            "upscale": 4,
            "longer_side": 65_535,
            "weight": 1.0,
            "tile": 4096,
            "quality": 100,
            "face_threshold": 0.99,
            "min_face": 512,
        },
        {"restorer": "none", "background": "realesrgan", "format": "webp"},
    ],
)
def test_the_ends_of_every_range_are_allowed(values: dict[str, Any]) -> None:
    options = Options(**values)
    assert {name: getattr(options, name) for name in values} == values


@pytest.mark.parametrize(
    ("options", "photo", "result"),
    [
        (Options(upscale=3), (301, 200), (903, 600)),
        (Options(upscale=1.5), (301, 201), (452, 302)),
        (Options(upscale=0.5), (301, 201), (150, 100)),
        (Options(upscale=0.25), (20_000, 1), (5000, 1)),
        (Options(longer_side=2000), (301, 201), (2000, 1336)),
        (Options(longer_side=2000, upscale=4), (201, 301), (1336, 2000)),
        (Options(longer_side=100), (6000, 4000), (100, 67)),
        (Options(longer_side=1), (6000, 4000), (1, 1)),
    ],
)
def test_the_size_follows_from_factor_or_longer_side(
    options: Options, photo: tuple[int, int], result: tuple[int, int]
) -> None:
    assert options.output_size(photo) == result


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
