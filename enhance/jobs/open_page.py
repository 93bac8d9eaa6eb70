"""The command `open`: photos in the page, which is started if it does not run yet."""

import argparse
import os
import re
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import httpx
import platformdirs

from enhance.jobs import desktop
from enhance.jobs.console import printable

_APP = Path(__file__).parents[2] / "app.py"  # beside the package in a clone, not part of it
_START_SECONDS = 300
_KEY = re.compile(r"\?photos=([0-9a-f]{32})\Z")  # at the end of the page's address
_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104, compared with, not listened on
_CONNECTIONS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # Linux's
_ESTABLISHED = "01"


class _Failed(Exception):
    """A sentence that says what to do."""


def main(arguments: Sequence[str]) -> int:
    """`open [PHOTO...]`. Returns the exit code: 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="enhance open",
        description="Show photos in the page, in your browser. The page is started, with its "
        "settings from the environment, if it does not run yet.",
    )
    add = parser.add_argument
    add("photos", nargs="*", type=Path, metavar="PHOTO", help="none: only open the page")
    entry = parser.add_mutually_exclusive_group()
    for flag, help in (
        ("--install", "add this command to the menus of Linux's file managers"),
        ("--uninstall", "remove it from there"),
    ):
        entry.add_argument(flag, action="store_true", help=help)
    wanted = parser.parse_args(arguments)
    try:
        if wanted.install:
            print(f"File managers now offer to open photos with this program: {desktop.install()}")
        elif wanted.uninstall:
            desktop.uninstall()
        else:
            page = _page_with(wanted.photos)
            print(page)
            webbrowser.open(page)
    except (_Failed, OSError, httpx.HTTPError) as error:
        print(printable(str(error)), file=sys.stderr)
        return 1
    return 0


def _page_with(photos: list[Path]) -> str:
    """The address at which the page shows these photos; starts the page if need be.

    Raises _Failed, OSError or httpx.HTTPError.
    """
    address = _address()
    # Not by way of a proxy, which would look for this machine elsewhere. Large photos take long.
    with (
        httpx.Client(base_url=address, trust_env=False, timeout=600) as server,
        ExitStack() as open,
    ):
        files = [("photos", (path.name, open.enter_context(path.open("rb")))) for path in photos]
        if not _runs(server):
            _start(server)
        if not files:
            return address
        answer = server.post("/v1/photos", files=files, auth=_account() or httpx.USE_CLIENT_DEFAULT)
    return f"{address}/?photos={_key_in(answer)}"


def _key_in(answer: httpx.Response) -> str:
    """The key to the photos; nothing else in the answer may reach the browser's command line.

    Raises _Failed.
    """
    if answer.status_code == 401:
        raise _Failed("The page has a login. Set ENHANCE_AUTH=user:password for this command, too.")
    try:
        told = answer.json()
        if not answer.is_success:
            raise _Failed(told["detail"])
        if key := _KEY.search(told["page"]):
            return key[1]
    except (ValueError, LookupError, TypeError):
        pass
    raise _stranger(answer.url)


def _address() -> str:
    """Where the page listens on this machine, by the settings that it has itself."""
    name = os.environ.get("GRADIO_SERVER_NAME", "")
    host = "127.0.0.1" if name in _ANYWHERE else f"[{name}]" if ":" in name else name
    return f"http://{host}:{os.environ.get('GRADIO_SERVER_PORT', '7860')}"


def _account() -> tuple[str, str] | None:
    """The first account of ENHANCE_AUTH, the page's own setting."""
    user, _, password = os.environ.get("ENHANCE_AUTH", "").split(",")[0].strip().partition(":")
    return (user, password) if user else None


def _runs(server: httpx.Client) -> bool:
    """Whether the page can be reached. Raises _Failed if something else is there, or the page of
    another user, who would get the photos and the password."""
    try:
        with server.stream("GET", "/health") as answer:
            if _trusted(answer.extensions["network_stream"].get_extra_info("socket")):
                answer.read()
                told = answer.json()
                if "ready" in told and "version" in told:
                    return True
    except httpx.ConnectError:
        return False
    except (ValueError, TypeError):
        pass
    raise _stranger(server.base_url)


def _trusted(connection: socket.socket) -> bool:
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


def _stranger(address: httpx.URL) -> _Failed:
    return _Failed(
        f"What listens at {address} is not this program's page, or another user's. Set "
        "GRADIO_SERVER_PORT to another port."
    )


def _start(server: httpx.Client) -> None:
    """Start the page in the background and wait until it can be reached. Raises _Failed."""
    if not _APP.is_file():
        raise _Failed(
            f"No page runs at {server.base_url}, and this installation is the command alone. Start "
            "the page in a clone of the repository (make run) or in a container, then try again."
        )
    log = platformdirs.user_log_path("enhance", ensure_exists=True) / "page.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603, no argument comes from outside
            [sys.executable, str(_APP)],
            cwd=_APP.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # goes on when this command, or its terminal, has ended
        )
    print(f"Starting the page, as process {process.pid}. Its log: {log}", file=sys.stderr)
    end = time.monotonic() + _START_SECONDS
    while not _runs(server):
        if process.poll() is not None or time.monotonic() > end:
            raise _Failed(f"The page could not be started. Its log says why: {log}")
        time.sleep(0.2)
