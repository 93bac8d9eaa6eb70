"""What a Hugging Face Space receives, served as one: `python -m tests.space`, or `make space`.

Of this machine's settings none is passed on. What the hub itself does, building the image and
standing before the server as a proxy, needs the hub.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from gradio_client import Client, handle_file

from tests.server import ROOT, SAMPLES, Server, served

HOST = "ann-photos.hf.space"
LARGEST = 10 * 2**20  # bytes; the hub wants larger files in its large storage


def lay_out(app: Path) -> list[Path]:
    """Copy what docs/spaces.md sends to a Space, of the repository as it is in the folder now."""
    names = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(names, cwd=ROOT, capture_output=True, check=True, text=True)
    files = [app / name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((ROOT / file.relative_to(app)).read_bytes())
    readme = app / "README.md"
    readme.write_bytes((ROOT / "deploy" / "space.yaml").read_bytes() + readme.read_bytes())
    return files


@contextmanager
def space(folder: Path) -> Iterator[Server]:
    """The Space in `folder`, with a home and temporary files of its own."""
    home, temporary = folder / "home", folder / "tmp"
    app = home / "app"
    lay_out(app)
    temporary.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(app),
        "PYTHONUNBUFFERED": "1",
        "SYSTEM": "spaces",
        "SPACE_ID": "ann/photos",
        "SPACE_AUTHOR_NAME": "ann",
        "SPACE_REPO_NAME": "photos",
        "SPACE_HOST": HOST,
        "GRADIO_NUM_PORTS": "1",
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_TEMP_DIR": str(temporary / "gradio"),
        "GRADIO_THEME": "huggingface",
    }
    with served(app, folder, environment) as server:
        yield server


def main() -> None:
    """Say how long a Space is cold."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()

        def tell(what: str) -> None:
            sys.stdout.write(f"{time.monotonic() - start:6.1f} s  {what}\n")

        with space(Path(folder)) as server:
            tell("the page is served")
            while httpx.get(f"{server.url}/health/ready").status_code != 200:
                time.sleep(0.05)
            tell("the models are loaded")
            client = Client(server.url, verbose=False, download_files=folder)
            client.predict(handle_file(SAMPLES / "small_portrait.jpg"), api_name="/enhance")
            tell("a photo is enhanced")


if __name__ == "__main__":
    main()
