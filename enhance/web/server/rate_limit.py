"""Rate limits per client and minute.

The `limits` library counts exactly only with an entry for each unit, here each byte; its sliding
window counter lets almost twice the limit through within a minute.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

_MINUTE = 60


@dataclass
class Rate:
    """At most `most` units within any minute, for each client."""

    most: int
    clock: Callable[[], float]
    _taken: dict[str, deque[tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(deque), init=False
    )
    _sums: dict[str, int] = field(default_factory=lambda: defaultdict(int), init=False)

    def take(self, client: str, amount: int = 1) -> bool:
        """Count `amount` if the client's limit allows it. Returns whether it does."""
        now = self.clock()
        self._forget(now)
        if self._sums[client] + amount > self.most:
            return False
        if amount:
            self._taken[client].append((now, amount))
            self._sums[client] += amount
        return True

    def _forget(self, now: float) -> None:
        """Drop what is more than a minute old, for all clients, so that nothing grows for ever."""
        for client in list(self._sums):
            taken = self._taken[client]
            while taken and taken[0][0] <= now - _MINUTE:
                self._sums[client] -= taken.popleft()[1]
            if not taken:
                del self._taken[client], self._sums[client]
