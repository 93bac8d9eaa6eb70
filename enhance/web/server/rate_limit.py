"""Rate limits per client.

The `limits` library counts exactly only with an entry for each unit, here each byte; its sliding
window counter lets almost twice the limit through within its window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Rate:
    """At most `most` units within so many seconds, for each client. What was taken is counted by
    whole seconds of the clock, so that it is forgotten after up to a second more."""

    most: int
    clock: Callable[[], float]
    seconds: int = 60
    _taken: dict[int, Counter[str]] = field(default_factory=dict, init=False)

    def take(self, client: str, amount: int = 1) -> bool:
        """Count `amount` if the client's limit allows it. Returns whether it does."""
        now = int(self.clock())
        for second in [second for second in self._taken if second < now - self.seconds]:
            del self._taken[second]
        if sum(taken[client] for taken in self._taken.values()) + amount > self.most:
            return False
        self._taken.setdefault(now, Counter())[client] += amount
        return True
