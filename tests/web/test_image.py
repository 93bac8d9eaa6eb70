"""How the container's engine asks for the server's health, against the real server."""

import json
import os
import re
import socket
import subprocess
import sys

from tests.server import ROOT, Server


def healthy(port: str) -> bool:
    """What the Dockerfile's check says of the server at this port."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    (check,) = re.findall(r"^HEALTHCHECK .*?CMD (\[.*\])$", text, re.MULTILINE)
    program, *arguments = json.loads(check)
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"GRADIO_SERVER_PORT": port},
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    return done.returncode == 0


def test_the_image_knows_whether_the_server_answers(server: Server) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert not healthy(str(nobody.getsockname()[1]))
    assert healthy(server.url.rpartition(":")[2])
