"""Who may have the server download weights, and what a visitor reads when that fails."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app import may_download
from enhance.options import Options
from tests.server import Server, running

FOLDER = "/dev/null/weights-of-the-server"  # nothing can be saved below a file


@pytest.mark.parametrize(
    ("environment", "may"),
    [
        ({}, True),
        ({"GRADIO_SERVER_NAME": "127.0.0.1"}, True),
        ({"GRADIO_SERVER_NAME": "localhost"}, True),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, False),
        ({"GRADIO_SERVER_NAME": "192.0.2.7"}, False),
        ({"ENHANCE_TRUSTED_PROXY": "1"}, False),
        ({"GRADIO_SHARE": "True"}, False),
        ({"SPACE_ID": "someone/space"}, False),
        ({"GRADIO_SERVER_NAME": "0.0.0.0", "ENHANCE_ALLOW_DOWNLOAD": "1"}, True),
        ({"ENHANCE_ALLOW_DOWNLOAD": "0"}, False),
    ],
)
def test_only_who_sits_at_the_machine_unless_it_is_allowed(
    environment: dict[str, str], may: bool
) -> None:
    assert may_download(environment) == may


@pytest.fixture(scope="module", params=["0", "1"], ids=["refused", "allowed"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bool, Server]]:
    settings = {"ENHANCE_ALLOW_DOWNLOAD": request.param, "ENHANCE_WEIGHTS_DIR": FOLDER}
    with running(tmp_path_factory.mktemp("downloads"), **settings) as one:
        yield request.param == "1", one


def press(server: Server, target: str) -> str:
    """What the server sends when a handler that begins at `target` is called by a stranger."""
    config = httpx.get(f"{server.url}/config").json()
    ids = {block["props"].get("elem_id"): block["id"] for block in config["components"]}
    (handler,) = (
        call for call in config["dependencies"] if [ids[target], "click"] in call["targets"]
    )
    options = Options()
    data = [getattr(options, name) for name in Options.__dataclass_fields__]
    call = {"data": data, "fn_index": handler["id"], "session_hash": "stranger"}
    httpx.post(f"{server.url}/gradio_api/queue/join", json=call).raise_for_status()
    with httpx.stream(
        "GET", f"{server.url}/gradio_api/queue/data?session_hash=stranger", timeout=60
    ) as events:
        said = ""
        for line in events.iter_lines():
            said += line
            if "process_completed" in line:
                break
    return said


def test_a_handler_that_is_not_offered_refuses_too(server: tuple[bool, Server]) -> None:
    may, one = server
    said = press(one, "fetch")
    refused, failed = (
        "cannot be downloaded from this page",
        "GFPGANv1.4.pth could not be downloaded",
    )
    assert (failed if may else refused) in said
    assert "weights-of-the-server" not in said
    if may:  # whoever runs it finds the reason in the log
        assert FOLDER in Path(one.log).read_text()
