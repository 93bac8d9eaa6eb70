"""Whose program is at the other end of a connection within this machine."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from pathlib import Path

_CONNECTIONS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # Linux's
_ESTABLISHED = "01"


def trusted(connection: socket.socket) -> bool:
    """Whether this user's program is at the other end, or root's, who can read everything anyway:
    for example Docker's, which passes connections on to a container.

    Anybody's is where that cannot be known: on another machine, or on a system other than Linux.
    """
    (host, port, *_), (_, own_port, *_) = connection.getpeername(), connection.getsockname()
    tables = [table for table in _CONNECTIONS if table.exists()]
    if not (tables and ip_address(host).is_loopback):
        return True
    # Ports suffice. Where others use the same ones on other addresses, their owners count, too.
    ends = (f"{port:04X}", f"{own_port:04X}", _ESTABLISHED)
    owners = set()
    for table in tables:
        for line in table.read_text("ascii").splitlines()[1:]:
            _, local, remote, state, _, _, _, owner, *_ = line.split()
            if (local.rpartition(":")[2], remote.rpartition(":")[2], state) == ends:
                owners.add(int(owner))
    return bool(owners) and owners <= {0, os.getuid()}
