"""What is finite is shared out: one client cannot take all of it."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.testclient import TestClient

from enhance.build import load_enhancer
from enhance.engines.local import LocalEngine
from enhance.errors import NoRoom, OptionsError
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.records import Source
from enhance.web.batches.batch_files import BatchFiles
from enhance.web.batches.disk import own_folder
from enhance.web.batches.room import Kept, Room, superfluous
from enhance.web.batches.store import BatchStore
from enhance.web.server.routes import routes
from enhance.web.server.shared_queue import SharedQueue
from enhance.web.server.shares import Share
from tests.server import SAMPLES, Server, running
from tests.web.api_photos import QUICK, WORK, square
from tests.web.hands import drop


def test_a_client_takes_its_share_and_no_more() -> None:
    share = Share(2)
    taken = [share.take(client) for client in ("a", "a", "a", "b")]
    assert taken == [True, True, False, True]
    share.give("a")
    with share.taken("a") as first, share.taken("a") as second:
        assert first and not second
    with share.taken("a") as again:
        assert again


# the queue

CHEAP = {"restorer": "none", "background": "lanczos"}

class Visitor:
    """Someone behind a proxy, with an address."""

    def __init__(self, server: Server, address: str) -> None:
        self.http = httpx.Client(
            base_url=f"{server.url}/gradio_api",
            headers={"X-Forwarded-For": address},
            timeout=60,
        )

    def upload(self, *photos: Path) -> httpx.Response:
        files = [("files", (photo.name, photo.read_bytes())) for photo in photos]
        return self.http.post("/upload", files=files)

    def call(self, endpoint: str, files: Any, **options: Any) -> httpx.Response:
        name = "photos" if endpoint == "enhance_batch" else "photo"
        body = {name: files, **options}
        return self.http.post(f"/call/v2/{endpoint}", json=body)

    def outcome(self, asked: httpx.Response, endpoint: str) -> str:
        """The stream of events of a call, to its end."""
        return self.http.get(f"/call/{endpoint}/{asked.json()['event_id']}").text


def sent(*paths: str) -> list[dict[str, Any]]:
    return [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in whose queue a client has three places."""
    with running(
        tmp_path_factory.mktemp("shared"), ENHANCE_TRUSTED_PROXY="1", ENHANCE_MAX_WAITING="12"
    ) as server:
        yield server


def test_one_client_cannot_fill_the_queue_of_page_and_api(
    shared: Server, browser: Browser, tmp_path: Path
) -> None:
    greedy, other = Visitor(shared, "2001:db8::1"), Visitor(shared, "10.0.0.2")
    (long,) = greedy.upload(SAMPLES / "group.jpg").json()
    (quick,) = other.upload(square(tmp_path / "quick.jpg", QUICK)).json()
    # The page of the same network, from another address.
    headers = {"X-Forwarded-For": "2001:db8::2"}
    with browser.new_context(locale="en", extra_http_headers=headers) as context:
        page = context.new_page()
        page.goto(shared.url)
        drop(page, square(tmp_path / "photo.jpg", QUICK))
        flood = [greedy.call("enhance_batch", sent(*[long] * 400), **CHEAP) for _ in range(5)]
        page.click("#enhance")
        expect(page.locator(".toast-body")).to_contain_text("your share of the queue")
    assert [answer.status_code for answer in flood] == [200, 200, 200, 429, 429]
    assert "You already have your share of the queue (3 waiting)" in flood[3].json()["detail"]
    asked = other.call("enhance", sent(quick)[0], **CHEAP)
    assert "event: complete" in other.outcome(asked, "enhance")
