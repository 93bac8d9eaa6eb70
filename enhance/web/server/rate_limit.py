"""How much a client may have in a minute.

The library `limits` counts exactly only with an entry for each unit, here each byte; its sliding
counter lets almost twice as much pass within a minute.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

_MINUTE = 60


@dataclass
class Rate:
    """At most so much in any minute, for each client."""

    most: int
    clock: Callable[[], float]
    _taken: dict[str, deque[tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(deque), init=False
    )
    _sums: dict[str, int] = field(default_factory=lambda: defaultdict(int), init=False)

    def take(self, client: str, amount: int = 1) -> bool:
        """Whether the client may have that much more now; it is counted if so."""
        now = self.clock()
        self._forget(now)
        if self._sums[client] + amount > self.most:
            return False
        if amount:
            self._taken[client].append((now, amount))
            self._sums[client] += amount
        return True

    def _forget(self, now: float) -> None:
        """What lies more than a minute back, of all clients: nothing grows for ever."""
        for client in list(self._sums):
            taken = self._taken[client]
            while taken and taken[0][0] <= now - _MINUTE:
                self._sums[client] -= taken.popleft()[1]
            if not taken:
                del self._taken[client], self._sums[client]
