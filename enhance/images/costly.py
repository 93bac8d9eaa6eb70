"""The complaint about a file that is better not opened, and what is said of it."""

from __future__ import annotations

from enhance.sentences import Sentence, say

_MAX_PICTURES = 10_000
_SLACK = 1_000_000  # bytes that pieces may have in common

LARGE_METADATA = say("Its metadata is larger than any photo's.")
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


def check_pictures(count: int) -> None:
    """Raises Costly when a file has very many pictures."""
    reason = say("It has more than {limit} pictures.", limit=_MAX_PICTURES)
    at_most(_MAX_PICTURES, count, reason)


def check_pieces(total: int, size: int) -> None:
    """Raises Costly when the pieces of a file of `size` bytes have far more in `total`."""
    at_most(2 * size + _SLACK, total, say("Its pieces are larger than the file."))
