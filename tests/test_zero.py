"""GPUs that are lent, as ZeroGPU's own package does it; what it asks is answered on loopback.

The fork that would get a GPU runs on the CPU here: its models are those of the local engine.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.server import ROOT, SAMPLES

# What a Space runs. Torch for CPUs cannot be prepared for GPUs to come; `spaces` leaves that out
# where it finds no torch.
SCRIPT = """
import hashlib, json, sys
sys.modules["torch"] = None
import spaces
del sys.modules["torch"]
from enhance.engines.choice import open_engine
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.records import Result, Source

limits = Limits(max_output_pixels=500_000)
engine = open_engine(Setup(device="cpu", precision="fp32"), limits)
sources = [Source.of(path) for path in sys.argv[1:]]
records = list(engine.run(sources, Options(size="2x")))
print(json.dumps([
    hashlib.sha256(r.data).hexdigest() if isinstance(r, Result) else [r.kind, r.reason]
    for r in records
]))
engine.close()
"""


@contextmanager
def lender() -> Iterator[tuple[str, list[str]]]:
    """Who lends GPUs: its address, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(urlsplit(self.path).path)
            body = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
            answer = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def enhanced(photos: list[Path], **environment: str) -> list[object]:
    """What becomes of the photos: the hash of a result, or why there is none."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, photos)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    records: list[object] = json.loads(done.stdout.splitlines()[-1])
    return records


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    """The second is too large for the script's limits."""
    return [SAMPLES / name for name in ("small_portrait.jpg", "group.jpg", "old_print.jpg")]


def test_photos_are_enhanced_on_a_gpu_that_is_lent_for_each(
    photos: list[Path], tmp_path: Path
) -> None:
    with lender() as (address, asked):
        lent = enhanced(
            photos, SPACES_ZERO_GPU="true", SPACES_ZERO_DEVICE_API_URL=address, HOME=str(tmp_path)
        )
    assert lent == enhanced(photos)
    assert isinstance(lent[1], list) and lent[1][0] == "PhotoTooLarge" and "group.jpg" in lent[1][1]
    assert asked == ["/schedule", "/allow", "/release", *["/schedule", "/release"] * 2]
