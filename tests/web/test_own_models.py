"""Models that are dropped into the folder of a server that runs."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Browser, expect
from spandrel.architectures.Compact import Compact

from enhance.models.folder import Identity
from tests.server import Server, running
from tests.web.hands import SMALL, drop, finish, open_settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "models").mkdir()
    with running(folder) as one:
        yield one


def put(server: Server, name: str) -> None:
    net = Compact(num_feat=8, num_conv=1, upscale=2)
    torch.save(net.state_dict(), server.log.parent / "models" / name)


def test_the_api_takes_a_file_that_has_just_come(server: Server) -> None:
    client = Client(server.url, verbose=False)
    asked = {"restorer": "none", "background": "api.pth", "api_name": "/enhance"}
    with pytest.raises(AppError, match="background must be one of"):
        client.predict(handle_file(SMALL), **asked)
    put(server, "api.pth")
    file, report = client.predict(handle_file(SMALL), **asked)
    assert Path(file).exists() and report["background"] == "api.pth"
    names = {model["name"]: model for model in client.predict(api_name="/models")}
    assert names["api.pth"]["present"] and not names["api.pth"]["bundled"]


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
def test_the_page_offers_it_when_it_is_opened_again(
    server: Server, browser: Browser, locale: str
) -> None:
    name = f"{locale}.pth"
    with browser.new_context(locale=locale) as context:
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#files")
        put(server, name)
        page.reload()
        drop(page, SMALL)
        label = "Background" if locale == "en" else "背景"
        background = open_settings(page, label).get_by_label(label, exact=True)
        expect(background).to_have_value("As the photo needs" if locale == "en" else "按照片需要")
        background.click()
        page.get_by_role("option", name=name).click()
        expect(background).to_have_value(name)
        if locale == "en":
            page.click("#enhance")
            finish(page, 1)


def test_colors_are_offered_where_there_is_a_model_for_them(
    server: Server, browser: Browser
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        drop(page, SMALL)
        old = open_settings(page, "Old photos")
        expect(old.get_by_label("Filling", exact=True)).to_be_visible()
        expect(old.get_by_text("Colorize gray photos")).to_have_count(0)

        # As if the file had been identified before: real ones are large.
        file = server.log.parent / "models" / "colors.pth"
        file.write_bytes(b"-")
        what = Identity("DDColor", "Colorization", scale=1, parameters=1)
        stat = file.stat()
        row = [str(file), stat.st_size, stat.st_mtime_ns, asdict(what)]
        record = server.log.parent / "weights" / "models.json"
        record.write_text(json.dumps([*json.loads(record.read_bytes()), row]))
        page.reload()
        drop(page, SMALL)
        old = open_settings(page, "Old photos")
        expect(old.get_by_text("Colorize gray photos")).to_be_visible()
        file.unlink()
