"""The complaint about a file that is better not opened, and what is said of it."""

from __future__ import annotations

from enhance.sentences import Sentence, say

MAX_PICTURES = 10_000

MANY_PICTURES = say("It has more than {limit} pictures.", limit=MAX_PICTURES)
LARGE_PIECES = say("Its pieces are larger than the file.")
LARGE_METADATA = say("Its metadata are larger than any photo's.")
STATED_TWICE = say("It states its size or layout more than once.")


class Costly(Exception):
    """A file that is better not opened; `reason` is a sentence."""

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason)
        self.reason = reason


def at_most(limit: int, count: int, reason: Sentence) -> None:
    """Raises Costly with the reason when the count is larger."""
    if count > limit:
        raise Costly(reason)
