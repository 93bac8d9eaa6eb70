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
        ("size", "0x", "a factor from 0.25x to 4x, such as 2x"),
        ("size", "4.01x", "a factor from 0.25x to 4x"),
        ("size", "nanx", "a factor from 0.25x to 4x"),
        ("size", "2", "3840 or 4K for the longer side"),
        ("size", "-1", "16 to 65535 pixels"),
        ("size", "65536", "16 to 65535 pixels"),
        ("size", "short:15", "short:1080 for the shorter side"),
        ("size", "min:2x", "min:2000 for a longer side of at least that"),
        ("size", "16K", "3840 or 4K"),
        ("size", 2.0, "such as 2x"),
        ("size", None, "such as 2x"),
        ("restorer", "magic", "bundled, none"),
        ("background", "", "lanczos, realesr-general-x4v3, compact"),
        ("face_colors", "gray", "photo, model"),
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
        ("weight", "1", "between 0 and 1"),
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
        {"size": "0.25x", "weight": 0.0, "tile": 32, "quality": 1, "min_face": 1},
        {
            "size": "4x",
            "weight": 1.0,
            "tile": 4096,
            "quality": 100,
            "face_threshold": 0.99,
            "min_face": 512,
        },
        {"size": "16"},
        {"size": "short:65535"},
        {"restorer": "none", "background": "realesrgan", "format": "webp"},
    ],
)
def test_the_ends_of_every_range_are_allowed(values: dict[str, Any]) -> None:
    options = Options(**values)
    assert {name: getattr(options, name) for name in values} == values


@pytest.mark.parametrize(
    ("size", "photo", "result"),
    [
        ("3x", (301, 200), (903, 600)),
        ("1.5x", (301, 201), (452, 302)),
        ("0.5x", (301, 201), (150, 100)),
        ("0.25x", (20_000, 1), (5000, 1)),
        ("2000", (301, 201), (2000, 1336)),
        ("100", (6000, 4000), (100, 67)),
        ("16", (6000, 4), (16, 1)),
        ("4K", (600, 400), (3840, 2560)),
        ("8k", (400, 600), (5120, 7680)),
        ("short:1080", (1600, 900), (1920, 1080)),
        ("short:1080", (4000, 6000), (1080, 1620)),
        ("min:2000", (500, 1000), (1000, 2000)),
        ("min:2000", (6000, 4000), (6000, 4000)),
    ],
)
def test_every_form_of_a_size(size: str, photo: tuple[int, int], result: tuple[int, int]) -> None:
    assert Options(size=size).output_size(photo) == result


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (" 2.00X ", "2x"),
        ("1.5×", "1.5x"),
        (".5x", "0.5x"),
        ("4K", "3840"),
        ("8k", "7680"),
        ("Short:01080", "short:1080"),
        (3840, "3840"),
    ],
)
def test_a_size_is_kept_in_one_form(said: Any, kept: str) -> None:
    assert Options(size=said) == Options(size=kept)
    assert Options(size=said).size == kept


def test_options_cannot_be_changed_behind_a_run() -> None:
    options = Options()
    with pytest.raises(FrozenInstanceError):
        options.size = "4x"  # type: ignore[misc]


def test_a_source_is_called_what_its_path_says() -> None:
    assert Source.of("some/folder/Ömer 1.jpg") == Source(
        Path("some/folder/Ömer 1.jpg"), "Ömer 1.jpg"
    )


def test_sizes_are_width_by_height() -> None:
    assert Photo("a", np.zeros((2, 3, 3), np.uint8), "PNG").size == (3, 2)
    face = Face((10, 20, 40, 35), 0.9, ())
    assert face.size == 15
    assert face.center == (25, 27.5)
