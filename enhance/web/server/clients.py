"""Which client a request counts for, and what one client may have, or do, of what is finite."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import gradio as gr
from starlette.requests import HTTPConnection


@lru_cache(1024)
def client_key(host: str, account: str | None = None) -> str:
    """The key of a client: its account where there is a login, otherwise its address.

    host: the client's address. One subscriber owns a whole /64 network of IPv6, so that network is
    the client; an IPv4 address written as IPv6 counts as IPv4. Anything else stands for itself.
    """
    if account:
        return f"account {account}"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def account(visitor: HTTPConnection) -> str | None:
    """The account that a visitor has logged in with, if any. Only Gradio's app has accounts."""
    app: Any = visitor.scope.get("app")
    if getattr(app, "auth", None) is None:
        return None
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    found = (app.tokens.get(visitor.cookies.get(name)) for name in names)
    return next(filter(None, found), None)


def client_of(visitor: HTTPConnection | gr.Request) -> str:
    """The `client_key` of who sent a request: to a route, or to a handler of Gradio's events."""
    name = visitor.username if isinstance(visitor, gr.Request) else account(visitor)
    return client_key(visitor.client.host if visitor.client else "", name)


def may_enter(visitor: HTTPConnection) -> bool:
    """Whether the visitor has logged in, or the app needs no login."""
    return getattr(visitor.app, "auth", None) is None or account(visitor) is not None


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

    def take(self, client: str, amount: int = 1) -> bool:
        """Count `amount` if the client's limit allows it. Returns whether it does."""
        now = int(self.clock())
        for second in [second for second in self._taken if second < now - self.seconds]:
            del self._taken[second]
        if sum(taken[client] for taken in self._taken.values()) + amount > self.most:
            return False
        self._taken.setdefault(now, Counter())[client] += amount
        return True
