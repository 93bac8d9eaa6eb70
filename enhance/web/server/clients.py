"""Which client a request counts for: everything that is finite is shared out by this key."""

from __future__ import annotations

import ipaddress


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
