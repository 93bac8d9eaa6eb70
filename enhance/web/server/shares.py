"""What one client may have, or do, of what is finite: so much at a time, or within some seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Share:
    """At most `most` of something at a time, for each client. For one thread."""

    most: int
    _taken: Counter[str] = field(default_factory=Counter, init=False)

    @contextmanager
    def taken(self, client: str) -> Iterator[bool]:
        """Take one for the block, if the share allows it; the value says whether it does."""
        if self._taken[client] >= self.most:
            yield False
            return
        self._taken[client] += 1
        try:
            yield True
        finally:
            self._taken[client] -= 1
            self._taken = +self._taken  # so that nothing grows for ever


@dataclass
class Rate:
    """At most `most` units within so many seconds, for each client. What was taken is counted by
    whole seconds of the clock, so that it is forgotten after up to a second more.

    The `limits` library counts exactly only with an entry for each unit, here each byte; its
    sliding window counter lets almost twice the limit through.
    """

    most: int
    clock: Callable[[], float]
    seconds: int = 60
    _taken: dict[int, Counter[str]] = field(default_factory=dict, init=False)

    def allows(self, client: str, amount: int = 1) -> bool:
        """Whether the client's limit allows `amount` now."""
        oldest = int(self.clock()) - self.seconds
        for second in [second for second in self._taken if second < oldest]:
            del self._taken[second]
        return sum(taken[client] for taken in self._taken.values()) + amount <= self.most

    def take(self, client: str, amount: int = 1) -> bool:
        """Count `amount` if the client's limit allows it. Returns whether it does."""
        allowed = self.allows(client, amount)
        if allowed:
            self._taken.setdefault(int(self.clock()), Counter())[client] += amount
        return allowed
