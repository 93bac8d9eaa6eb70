"""The endpoints, through the Python client that Gradio ships and through plain HTTP.

`python -m tests.web.test_api` records the API as it is now in api_schema.json.
"""

import difflib
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from enhance.options import OLD_NAMES, OPTIONS, Options
from tests.server import SAMPLES, Server, running
from tests.web.api_photos import IN_STEPS, QUICK, SLOW, WORK, results, square

SCHEMA = Path(__file__).with_name("api_schema.json")


@pytest.fixture(scope="module")
def connect(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Client]:
    def one() -> Client:
        folder = tmp_path_factory.mktemp("downloads")
        return Client(server.url, verbose=False, download_files=folder)

    return one


@pytest.fixture(scope="module")
def client(connect: Callable[[], Client]) -> Client:
    return connect()


def test_enhance_gives_a_file_and_its_report(client: Client) -> None:
    file, report = client.predict(
        handle_file(SAMPLES / "small_portrait.jpg"), size="3x", format="png", api_name="/enhance"
    )
    assert Path(file).name == "small_portrait_enhanced.png"
    with Image.open(file) as image:
        assert image.size == (510, 600) == tuple(report["output_size"])
    assert report["ok"] and len(report["faces"]) == 1 and report["restorer"] == "bundled"


def test_a_result_is_named_by_a_pattern(client: Client) -> None:
    photo = handle_file(SAMPLES / "small_portrait.jpg")
    file, _ = client.predict(photo, size="1x", name="{stem}@{upscale}x", api_name="/enhance")
    assert Path(file).name == "small_portrait@1x.jpg"
    with pytest.raises(AppError, match=r"\{name\} means nothing in a name pattern"):
        client.predict(photo, name="{name}", api_name="/enhance")


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
    finished = [max(path.stat().st_mtime for path in results(server, name)) for name in names]
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


def test_any_size(client: Client) -> None:
    photo = handle_file(SAMPLES / "small_portrait.jpg")
    file, report = client.predict(photo, size="1.5x", api_name="/enhance")
    with Image.open(file) as image:
        assert list(image.size) == [round(1.5 * side) for side in report["source_size"]]
    assert report["upscale"] == 1.5
    file, report = client.predict(photo, size="300", api_name="/enhance")
    with Image.open(file) as image:
        assert max(image.size) == 300
    assert report["upscale"] == round(300 / max(report["source_size"]), 3)


def test_errors_are_sentences(client: Client, corrupt: Path) -> None:
    with pytest.raises(AppError, match=r"“corrupt\.jpg” is damaged"):
        client.predict(handle_file(corrupt), api_name="/enhance")
    with pytest.raises(AppError, match=r"size must be auto, a factor from 0\.25x.*; not '5x'\."):
        client.predict(handle_file(SAMPLES / "small_portrait.jpg"), size="5x", api_name="/enhance")
    with pytest.raises(AppError, match="tile must be a whole number"):
        client.predict(handle_file(SAMPLES / "small_portrait.jpg"), tile=99.5, api_name="/enhance")
    with pytest.raises(AppError, match="at least one photo"):
        client.predict([], api_name="/enhance_batch")


def test_a_single_photo_need_not_wait_for_the_batch_before_it(
    connect: Callable[[], Client], tmp_path: Path
) -> None:
    patient, late = connect(), connect()
    photos = [handle_file(square(tmp_path / f"{k}.png", 2 * QUICK)) for k in range(12)]
    single = handle_file(square(tmp_path / "single.png", 2 * QUICK))
    batch = patient.submit(photos, api_name="/enhance_batch", **WORK)
    other = None
    between = 0  # photos of the batch that arrive while the single one waits
    for _ in batch:
        if other is None:
            other = late.submit(single, api_name="/enhance", **WORK)
        elif other.done():
            break
        else:
            between += 1
    batch.cancel()
    assert other is not None and other.result()[1]["ok"]
    assert between <= 6, "it came before half of the batch"


def test_cancelling_a_batch_stops_within_a_photo(
    connect: Callable[[], Client], server: Server, tmp_path: Path
) -> None:
    edges = {"py_quick": QUICK, "py_slow": SLOW, "py_later": QUICK, "py_other": QUICK}
    *photos, other = [
        handle_file(square(tmp_path / f"{name}.png", edge)) for name, edge in edges.items()
    ]
    canceller, bystander = connect(), connect()
    job = canceller.submit(photos, api_name="/enhance_batch", **IN_STEPS)
    for _ in job:
        assert bystander.predict(api_name="/health")["waiting"] >= 2
        job.cancel()
        break
    _, report = bystander.predict(other, api_name="/enhance", **IN_STEPS)
    assert report["name"] == "py_other.png"
    # Had the slow one gone on, the other would have waited for it.
    assert [name for name in edges if results(server, name)] == ["py_quick", "py_other"]


def test_cancelling_a_single_photo_stops_within_it(
    connect: Callable[[], Client], server: Server, tmp_path: Path
) -> None:
    canceller, bystander = connect(), connect()
    photo = handle_file(square(tmp_path / "py_alone.png", SLOW))
    other = handle_file(square(tmp_path / "py_next.png", QUICK))
    job = canceller.submit(photo, api_name="/enhance", **IN_STEPS)
    while not bystander.predict(api_name="/health")["waiting"]:
        assert not job.done()
    job.cancel()
    bystander.predict(other, api_name="/enhance", **IN_STEPS)
    assert results(server, "py_next") and not results(server, "py_alone")


def test_models_are_listed_with_what_they_need(client: Client) -> None:
    models = client.predict(api_name="/models")
    by_name = {(model["kind"], model["name"]): model for model in models}
    assert len(by_name) == len(models)
    gfpgan = by_name["restorer", "gfpgan-1.4"]
    assert not gfpgan["present"] and not gfpgan["bundled"] and gfpgan["bytes"] == 348632874
    assert "StyleGAN2" in gfpgan["licence"]
    bundled = by_name["restorer", "bundled"]
    assert bundled["present"] and bundled["bundled"] and bundled["licence"] == "BSD-3-Clause"


def test_every_option_is_a_parameter_with_its_default(client: Client) -> None:
    info = client.view_api(return_format="dict")
    assert isinstance(info, dict)
    for endpoint in ("/enhance", "/enhance_batch"):
        _, *options = info["named_endpoints"][endpoint]["parameters"]
        assert {p["parameter_name"]: p["parameter_default"] for p in options} == {
            **{field.name: field.default for field in fields(Options)},
            **dict.fromkeys(OLD_NAMES, ""),
        }
        described = {p["parameter_name"]: p["type"].get("description") for p in options}
        assert all(described[name] == spec.description for name, spec in OPTIONS.items())


def test_options_are_still_accepted_by_the_names_of_the_last_version(client: Client) -> None:
    photo = handle_file(SAMPLES / "small_portrait.jpg")
    for endpoint in ("/enhance", "/enhance_batch"):
        with pytest.raises(AppError, match="face_colors must be one of photo, model, not 'gray'"):
            client.predict(
                photo if endpoint == "/enhance" else [photo], face_colours="gray", api_name=endpoint
            )
    _, report = client.predict(photo, size="1x", face_colours="model", api_name="/enhance")
    assert report["ok"]
    for old, side in (({"upscale": 1.5, "longer_side": 0}, 300), ({"longer_side": 120}, 120)):
        _, report = client.predict(photo, **old, api_name="/enhance")
        assert max(report["output_size"]) == side


def contract(url: str) -> str:
    """What clients rely on: endpoints, parameters in their order, types, defaults, returns."""
    with urllib.request.urlopen(f"{url}/gradio_api/info") as answer:
        endpoints = json.load(answer)["named_endpoints"]

    def parameter(info: dict[str, Any]) -> dict[str, Any]:
        record = {"name": info["parameter_name"], "type": info["python_type"]["type"]}
        said = ("description", "minimum", "maximum")
        record |= {word: info["type"][word] for word in said if word in info["type"]}
        if info["parameter_has_default"]:
            record["default"] = info["parameter_default"]
        return record

    record = {
        name: {
            "parameters": [parameter(info) for info in endpoint["parameters"]],
            "returns": [info["python_type"]["type"] for info in endpoint["returns"]],
        }
        for name, endpoint in endpoints.items()
    }
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


def test_the_contract_is_the_recorded_one(server: Server) -> None:
    recorded, now = SCHEMA.read_text().splitlines(), contract(server.url).splitlines()
    changes = list(difflib.unified_diff(recorded, now, "recorded", "now", lineterm=""))
    if changes:
        renew = "The API has changed. If that is meant: python -m tests.web.test_api"
        pytest.fail("\n".join([renew, *changes]), pytrace=False)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as one:
        SCHEMA.write_text(contract(one.url))
