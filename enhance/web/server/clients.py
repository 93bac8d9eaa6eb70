"""Who sent a request: which client it counts for, whether another website's page had it sent; and
how much one client may do within some seconds."""

import base64
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from fastapi.security.utils import get_authorization_scheme_param
from gradio.route_utils import get_hostname


@lru_cache(1024)
def client_key(host: str, account: str | None = None) -> str:
    """The key of a client: its account where there is a login, otherwise its address.

    host: the client's address, to which some proxies add the port. One subscriber owns a whole /64
    network of IPv6, so that network is the client; an IPv4 address written as IPv6 counts as IPv4.
    Anything else stands for itself.
    """
    if account:
        return f"account {account}"
    if found := re.fullmatch(r"\[(.*)\](:\d+)?|([^:]*):\d+", host):
        host = found[1] or found[3]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def credentials(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """User and password that a request brings by HTTP Basic; empty if they are malformed."""
    kind, said = get_authorization_scheme_param(headers.get("authorization"))
    if kind.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(said, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another website, or of another port of this host, has its visitor's browser
    send this request, perhaps with the visitor's login; following a link is no such request.

    headers: with names in lower case. Browsers set these themselves, for any page: Sec-Fetch-Site
    at addresses that they trust, such as those with https, and Origin unless a page only asks for
    something to show.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site:
        follows = origin is None and headers.get("sec-fetch-mode") == "navigate"
        return site not in ("same-origin", "none") and not follows
    if origin is None:
        return False
    # A proxy may leave the port out, or name one that browsers leave out.
    said = (headers.get(name, "").lower() for name in ("host", "x-forwarded-host"))
    own = {re.sub(":(80|443)$", "", host) for host in said} - {""}
    return not own & {get_hostname(origin), origin.rpartition("://")[2].lower()}


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
