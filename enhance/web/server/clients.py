"""Which client a request counts for: everything that is finite is shared out by this key."""

from __future__ import annotations

import ipaddress
from typing import Any

import gradio as gr
from starlette.requests import HTTPConnection


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
