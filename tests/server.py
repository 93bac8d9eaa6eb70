"""A real server in its own process, for the tests of the page and the API."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "assets" / "samples"


@dataclass(frozen=True)
class Server:
    """Where it listens, where it keeps its files, and its process."""

    url: str
    files: Path
    log: Path
    process: subprocess.Popen[bytes]


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Server]:
    """The app of this repository, its files under `folder`; stopped at the end."""
    settings = {
        "GRADIO_TEMP_DIR": str(folder / "files"),
        "ENHANCE_WEIGHTS_DIR": str(folder / "weights"),  # none but the bundled ones
    }
    with served(ROOT, folder, os.environ | settings | environment) as server:
        yield server


@contextmanager
def served(tree: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """`python app.py` in `tree` on a free port, with its log in `folder`; stopped at the end.

    environment: all of it, with GRADIO_TEMP_DIR.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=tree,
            env={**environment, "GRADIO_SERVER_PORT": str(port)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process, log)
        yield Server(url, Path(environment["GRADIO_TEMP_DIR"]), log, process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")
