"""File names of results, and the patterns that they follow, such as "{stem}_enhanced".

Patterns and photos' names may come from a stranger.
"""

import re
from pathlib import Path

from pathvalidate import sanitize_filename

from enhance.errors import OptionsError

USUAL_NAME = "{stem}_enhanced"
TOKENS = ("{stem}", "{index}", "{upscale}", "{restorer}", "{background}")
"""What a pattern may contain besides plain text."""
LONGEST = 100
"""The most characters of a pattern."""

_STEM = 180  # bytes; leaves room for a suffix within the usual 255
_RESULT = 200  # bytes; leaves room for a number and an extension
_TOKEN = re.compile("|".join(map(re.escape, TOKENS)))
_BRACES = re.compile(r"\{[^{}\n]*\}?|\}")
# Forbidden in file names by some system; and halves of characters, which cannot be encoded.
_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]')


def check_pattern(pattern: object) -> str:
    """The pattern. Raises OptionsError, with a sentence that says what to do, if it is invalid."""
    if not isinstance(pattern, str) or not 0 < len(pattern.strip()) <= len(pattern) <= LONGEST:
        raise OptionsError("A name pattern must be 1 to {most} characters long.", most=LONGEST)
    if unknown := _BRACES.search(_TOKEN.sub("\n", pattern)):
        raise OptionsError(
            "{found} means nothing in a name pattern. Use {tokens}.",
            found=unknown[0],
            tokens=", ".join(TOKENS),
        )
    if forbidden := _FORBIDDEN.search(pattern):
        raise OptionsError(
            "A name pattern must not contain {found}: not every system allows it in file names.",
            found=ascii(forbidden[0]).strip("'"),
        )
    return pattern


def shardable(pattern: str) -> bool:
    """Whether names differ between photos with different stems, however long these are.

    So little besides the stem fits into a file name with the longest stem, which is then never cut.
    """
    rest = pattern.replace("{stem}", "", 1)
    return (
        rest != pattern
        and len(rest.encode()) <= _RESULT - _STEM
        and not _TOKEN.search(rest.replace("{upscale}", ""))
    )


def output_stem(name: str) -> str:
    """The photo's name without folders and extension, valid as a file name on every system."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _safe(Path(base.replace("\0", "")).stem, _STEM) or "photo"


def result_stem(
    pattern: str, name: str, *, number: int, upscale: float, restorer: str, background: str
) -> str:
    """The name of a photo's result without extension, valid as a file name on every system.

    pattern: valid. name: the photo's. number: its position in the batch. If the result would be too
    long, the photo's own part of it is cut.
    """
    stem = output_stem(name)
    values = {
        "{stem}": stem,
        "{index}": f"{number:03}",
        "{upscale}": f"{upscale:g}",
        "{restorer}": restorer,
        "{background}": background,
    }
    filled = _filled(pattern, values)
    if (over := len(filled.encode()) - _RESULT) > 0:
        kept = stem.encode()[: max(0, len(stem.encode()) - over)]
        values["{stem}"] = kept.decode("utf-8", "ignore")
        filled = _filled(pattern, values)
    return _safe(filled, _RESULT) or "photo"


def _filled(pattern: str, values: dict[str, str]) -> str:
    """The valid pattern with each token replaced by its value; not yet safe as a file name."""
    return _TOKEN.sub(lambda token: values[token[0]], pattern)


def _safe(text: str, most: int) -> str:
    """The text as a file name of at most so many bytes; may be empty."""
    text = text.encode("utf-8", "replace").decode()  # it may contain bytes that are not text
    name = sanitize_filename(text, platform="universal", fs_encoding="utf-8", max_len=most)
    return str(name).strip(". ")
