"""Names of results: patterns and photos' names may come from strangers."""

import unicodedata
from typing import Any

import pytest
from pathvalidate import is_valid_filename

from enhance.errors import OptionsError
from enhance.names import TOKENS, output_stem, result_stem, shardable
from enhance.options import Options
from enhance.photos import expected_extension

NAMES: tuple[str, ...] = (
    "photo.jpg",
    "../../etc/passwd",
    "CON.png",
    "",
    "\0",
    "a" * 300,
    "é" * 200,
    "日" * 99,
)
NAMES += (
    "caf\udce9.jpg",
    "<b>x</b>.png",
    "..",
    "a.b.c.tif",
    "straße.png",
    " .hidden. ",
    "\u202e.jp",
)


def stem(pattern: str, name: str = "photo.jpg", number: int = 7, restorer: str = "bundled") -> str:
    Options(name=pattern)
    return result_stem(
        pattern, name, number=number, upscale=1.5, restorer=restorer, background="compact"
    )


@pytest.mark.parametrize(
    ("pattern", "result"),
    [
        ("{stem}_enhanced", "photo_enhanced"),
        ("{stem}@{upscale}x", "photo@1.5x"),
        ("{index} {stem} {restorer}-{background}", "007 photo bundled-compact"),
        ("Grandma's album", "Grandma's album"),
        ("{stem}{stem}", "photophoto"),
        ("照片 {index}", "照片 007"),
        ("..{stem}. .", "photo"),
        (".. .", "photo"),
        ("NUL", "NUL_"),
    ],
)
def test_tokens_are_replaced(pattern: str, result: str) -> None:
    assert stem(pattern) == result


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "1 to 100 characters"),
        ("  ", "1 to 100 characters"),
        ("x" * 101, "1 to 100 characters"),
        (None, "1 to 100 characters"),
        (["{stem}"], "1 to 100 characters"),
        ("{stme}", "{stme} means nothing in a name pattern. Use {stem}, {index}, "),
        ("{stem", "{stem means nothing"),
        ("{stem.__class__}", "{stem.__class__} means nothing"),
        ("{index:99999999}", "{index:99999999} means nothing"),
        ("{{stem}}", "{ means nothing"),
        ("{}", "{} means nothing"),
        ("../{stem}", "must not contain /:"),
        ("{stem}\\x", "must not contain \\\\:"),
        ("{stem}\0", "must not contain \\x00:"),
        ("{stem}\n", "must not contain \\n:"),
        ("{stem}?", "must not contain ?:"),
        ("\ud83d", "must not contain \\ud83d:"),
    ],
)
def test_a_wrong_pattern_is_refused_with_a_sentence(pattern: Any, said: str) -> None:
    with pytest.raises(OptionsError) as caught:
        Options(name=pattern)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")
    str(caught.value).encode()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "pattern", ["{stem}_enhanced", "{stem}" * 16, "".join(TOKENS), "日" * 93 + "{stem}", "CON"]
)
def test_every_name_is_safe_whatever_the_photo_and_the_model_are_called(
    pattern: str, name: str
) -> None:
    for restorer in ("bundled", "../my model?.pth", "m" * 250):
        made = stem(pattern, name, restorer=restorer)
        assert 0 < len(made.encode()) <= 200
        assert is_valid_filename(f"{made}.jpg", platform="universal")
        assert made == made.strip(". ")
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in made)
    assert is_valid_filename(output_stem(name), platform="universal")


def test_what_is_too_long_loses_some_of_the_photos_name() -> None:
    made = stem("{index}_{stem}@{upscale}x", "a" * 300)
    assert made == f"007_{'a' * 180}@1.5x"
    made = stem(f"{{stem}}{'_' * 80}end", "a" * 300)
    assert made == f"{'a' * 117}{'_' * 80}end"


@pytest.mark.parametrize(
    ("pattern", "suits"),
    [
        ("{stem}_enhanced", True),
        ("{stem}@{upscale}x", True),
        ("{stem}", True),
        ("{index}", False),
        ("{stem}{index}", False),
        ("{stem}_{stem}", False),
        ("{stem}_{restorer}", False),
        ("{stem}" + "_" * 20, True),
        ("{stem}" + "_" * 21, False),
    ],
)
def test_patterns_for_several_machines_keep_the_whole_stem(pattern: str, suits: bool) -> None:
    assert shardable(pattern) == suits


@pytest.mark.parametrize(
    ("name", "format", "extension"),
    [
        ("a.JPEG", "same", "jpg"),
        ("a.gif", "same", "png"),
        ("a.tiff", "same", "tif"),
        ("a.HIF", "same", "heic"),
        ("a", "same", "jpg"),
        ("a.gif", "webp", "webp"),
        ("a.png", "jpeg", "jpg"),
    ],
)
def test_the_extension_is_known_beforehand(name: str, format: Any, extension: str) -> None:
    assert expected_extension(name, format) == extension
