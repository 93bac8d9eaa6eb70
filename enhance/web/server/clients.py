"""Which client a request counts for: everything that is finite is shared out by this key."""

from __future__ import annotations

import base64
import ipaddress
from typing import Any

import gradio as gr
from fastapi.security.utils import get_authorization_scheme_param
from gradio.route_utils import compare_passwords_securely
from starlette._utils import get_route_path
from starlette.requests import HTTPConnection

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Photo enhancer", charset="UTF-8"'}
"""Says with status 401 how to log in to plain HTTP."""


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
    """The account that a visitor has logged in with, if any: on the page, or to plain HTTP with the
    request itself. Only Gradio's app has accounts."""
    if not _has_accounts(visitor):
        return None
    if found := _logged_in(visitor):
        return found
    user, password = _credentials(visitor) or ("", "")
    known = visitor.app.auth.get(user)
    return user if known and compare_passwords_securely(password, known) else None


def brings_password(visitor: HTTPConnection) -> bool:
    """Whether it is only the request itself, to plain HTTP, that may log its visitor in."""
    if not _has_accounts(visitor) or _logged_in(visitor):
        return False
    return _credentials(visitor) is not None


def _has_accounts(visitor: HTTPConnection) -> bool:
    return getattr(visitor.scope.get("app"), "auth", None) is not None


def _logged_in(visitor: HTTPConnection) -> str | None:
    """The account that the cookie of Gradio's login form says."""
    app: Any = visitor.app
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    found = (app.tokens.get(visitor.cookies.get(name)) for name in names)
    return next(filter(None, found), None)


def _credentials(visitor: HTTPConnection) -> tuple[str, str] | None:
    """User and password of HTTP Basic, in a request to plain HTTP; empty if they are malformed."""
    kind, said = get_authorization_scheme_param(visitor.headers.get("authorization"))
    if kind.lower() != "basic" or not get_route_path(visitor.scope).startswith("/v1/"):
        return None
    try:
        user, _, password = base64.b64decode(said, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def client_of(visitor: HTTPConnection | gr.Request) -> str:
    """The `client_key` of who sent a request: to a route, or to a handler of Gradio's events."""
    name = visitor.username if isinstance(visitor, gr.Request) else account(visitor)
    return client_key(visitor.client.host if visitor.client else "", name)


def may_enter(visitor: HTTPConnection) -> bool:
    """Whether the visitor has logged in, or the app needs no login."""
    return not _has_accounts(visitor) or account(visitor) is not None
