"""Patterns for the names of results, such as "{stem}_enhanced". They may come from a stranger."""

from __future__ import annotations

import re

from enhance.errors import OptionsError
from enhance.i18n import say

USUAL_NAME = "{stem}_enhanced"
TOKENS = ("{stem}", "{index}", "{upscale}", "{restorer}", "{background}")
"""What a pattern may contain besides plain text."""
LONGEST = 100
"""The most characters of a pattern."""
_BESIDE_STEM = 20  # bytes; see `enhance.photos.names`

_TOKEN = re.compile("|".join(map(re.escape, TOKENS)))
_BRACES = re.compile(r"\{[^{}\n]*\}?|\}")
# Forbidden in file names by some system; and halves of characters, which cannot be encoded.
_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]')


def check_pattern(pattern: object) -> None:
    """Raises OptionsError, with a sentence that says what to do, unless it is a valid pattern."""
    if not isinstance(pattern, str) or not 0 < len(pattern.strip()) <= len(pattern) <= LONGEST:
        raise OptionsError(say("A name pattern must be 1 to {most} characters long.", most=LONGEST))
    if unknown := _BRACES.search(_TOKEN.sub("\n", pattern)):
        raise OptionsError(
            say(
                "{found} means nothing in a name pattern. Use {tokens}.",
                found=unknown[0],
                tokens=", ".join(TOKENS),
            )
        )
    if forbidden := _FORBIDDEN.search(pattern):
        raise OptionsError(
            say(
                "A name pattern must not contain {found}: not every system allows it in file "
                "names.",
                found=ascii(forbidden[0]).strip("'"),
            )
        )


def fill_pattern(pattern: str, values: dict[str, str]) -> str:
    """The valid pattern with each token replaced by its value; not yet safe as a file name."""
    return _TOKEN.sub(lambda token: values[token[0]], pattern)


def shardable(pattern: str) -> bool:
    """Whether names differ between photos with different stems, however long these are.

    So little besides the stem fits into a file name with the longest stem, which is then never cut.
    """
    rest = pattern.replace("{stem}", "", 1)
    return (
        rest != pattern
        and len(rest.encode()) <= _BESIDE_STEM
        and not _TOKEN.search(rest.replace("{upscale}", ""))
    )
