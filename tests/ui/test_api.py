"""The endpoints, through the Python client that Gradio ships."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from tests.server import SAMPLES, Server


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def test_enhance_gives_a_file_and_its_report(client: Client) -> None:
    file, report = client.predict(
        handle_file(SAMPLES / "small_portrait.jpg"), upscale=3, format="png", api_name="/enhance"
    )
    assert Path(file).name == "small_portrait_enhanced.png"
    with Image.open(file) as image:
        assert image.size == (510, 600) == tuple(report["output_size"])
    assert report["ok"] and len(report["faces"]) == 1 and report["restorer"] == "bundled"


def test_each_photo_arrives_before_the_next_one_is_finished(client: Client, server: Server) -> None:
    names = ["blurred_portrait", "old_print", "small_portrait"]
    photos = [handle_file(SAMPLES / f"{name}.jpg") for name in names]
    began = time.time()
    arrived = []
    job = client.submit(photos, api_name="/enhance_batch")
    for _, report in job:
        arrived.append(time.time())
        assert report["index"] == len(arrived) - 1
    job.result()
    finished = [
        max(p.stat().st_mtime for p in server.files.glob(f"results-*/*/{name}_enhanced.jpg"))
        for name in names
    ]
    assert len(arrived) == 3 and finished[0] > began
    assert all(arrived[k] < finished[k + 1] for k in range(2))


def test_a_bad_photo_is_an_event_and_the_others_go_on(client: Client, corrupt: Path) -> None:
    photos = [corrupt, SAMPLES / "small_portrait.jpg"]
    job = client.submit(
        [handle_file(p) for p in photos], restorer="none", api_name="/enhance_batch"
    )
    (bad_file, bad), (good_file, good) = list(job)
    assert bad_file is None and not bad["ok"] and "“corrupt.jpg” is damaged" in bad["reason"]
    assert good_file and good["ok"]


def test_errors_are_sentences(client: Client, corrupt: Path) -> None:
    with pytest.raises(AppError, match=r"“corrupt\.jpg” is damaged"):
        client.predict(handle_file(corrupt), api_name="/enhance")
    with pytest.raises(AppError, match="greater than maximum"):
        client.predict(handle_file(SAMPLES / "small_portrait.jpg"), upscale=5, api_name="/enhance")
    with pytest.raises(AppError, match="at least one photo"):
        client.predict([], api_name="/enhance_batch")


def test_only_the_contract_is_public(client: Client) -> None:
    info = client.view_api(return_format="dict")
    assert isinstance(info, dict)
    assert set(info["named_endpoints"]) == {"/enhance", "/enhance_batch"}
    parameters = info["named_endpoints"]["/enhance"]["parameters"]
    assert [p["parameter_name"] for p in parameters] == [
        "photo",
        "upscale",
        "restorer",
        "weight",
        "background",
        "faces",
        "only_restore_blurred",
        "detector",
        "masker",
        "face_threshold",
        "min_face",
        "tile",
        "format",
        "quality",
    ]
    assert all(p["parameter_has_default"] for p in parameters[1:])
