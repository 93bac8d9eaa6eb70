"""A Space, as far as it can be had without the hub."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from tests.server import ROOT, SAMPLES, Server
from tests.space import HOST, LARGEST, lay_out, space


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with space(tmp_path_factory.mktemp("space")) as server:
        yield server


def test_the_hub_takes_all_files(tmp_path: Path) -> None:
    files = lay_out(tmp_path)
    assert {"app.py", "requirements.txt", "packages.txt", "README.md"} <= {
        str(file.relative_to(tmp_path)) for file in files
    }
    assert max(file.stat().st_size for file in files) < LARGEST


def test_the_readme_of_a_space_begins_with_what_the_hub_reads(tmp_path: Path) -> None:
    """Made by the commands of docs/spaces.md, but for the upload."""
    (line,) = re.findall("^cat .*README.md$", (ROOT / "docs" / "spaces.md").read_text(), re.M)
    (tmp_path / "space").mkdir()
    command = line.replace("space/README.md", f"{tmp_path}/space/README.md")
    subprocess.run(command, shell=True, check=True, cwd=ROOT)
    lay_out(tmp_path / "app")
    made = (tmp_path / "space" / "README.md").read_text()
    assert made == (tmp_path / "app" / "README.md").read_text()
    assert made.endswith(f"---\n{(ROOT / 'README.md').read_text()}")


def test_a_space_enhances(one: Server, tmp_path: Path) -> None:
    client = Client(one.url, verbose=False, download_files=tmp_path)
    file, report = client.predict(
        handle_file(SAMPLES / "small_portrait.jpg"), size="2x", api_name="/enhance"
    )
    with Image.open(file) as image:
        assert list(image.size) == report["output_size"]


def test_a_space_is_reached_through_its_proxy(one: Server) -> None:
    headers = {
        "Host": HOST,
        "X-Forwarded-Host": HOST,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "192.0.2.1",
    }
    answer = httpx.get(f"{one.url}/config", headers=headers)
    assert answer.json()["root"] == f"https://{HOST}"


def test_a_space_writes_into_its_own_places_only(one: Server) -> None:
    folder = one.log.parent
    assert {path.name for path in folder.iterdir()} == {"home", "tmp", "server.log"}
    assert "models loaded" in one.log.read_text()
