"""Which website's page has sent a request: this server's, or another one's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gradio.route_utils import get_hostname


def foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another website, or of another port of this host, has its visitor's browser
    send this request, perhaps with the visitor's login, and may read the answer.

    headers: with names in lower case. Browsers set these themselves, for any page; there is no
    Origin where somebody follows a link.
    """
    origin = headers.get("origin")
    if origin is None or headers.get("sec-fetch-site") == "same-origin":
        return False
    # A proxy may leave the port out, or name one that browsers leave out.
    said = (headers.get(name, "").lower() for name in ("host", "x-forwarded-host"))
    own = {re.sub(":(80|443)$", "", host) for host in said} - {""}
    return not own & {get_hostname(origin), origin.rpartition("://")[2].lower()}
