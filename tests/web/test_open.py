"""Photos that `enhance open` and other programs hand to the page."""

import configparser
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, UploadFile
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, Page, expect

from enhance.engines.local import LocalEngine
from enhance.jobs import desktop, open_page
from enhance.limits import Limits
from enhance.version import VERSION
from enhance.web.batches.batch import Batch
from enhance.web.batches.store import BatchStore
from enhance.web.http_contract import HandedForm
from enhance.web.log import REQUEST_HEADER
from enhance.web.plain_http import http_routes
from tests.server import ROOT, SAMPLES, Server, running
from tests.web.hands import PICTURES, PORTRAIT, PRINT, SMALL, drop, finish

Command = tuple[subprocess.CompletedProcess[str], str]


def enhance_open(folder: Path, url: str, *arguments: object, **environment: str) -> Command:
    """Run the command for the page at this address; also what it has had the browser open."""
    browser, opened = folder / "browser", folder / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {shlex.quote(str(opened))}\n')
    browser.chmod(0o700)
    opened.write_text("")
    settings = {"BROWSER": str(browser), "GRADIO_SERVER_PORT": url.rpartition(":")[2]}
    done = subprocess.run(
        [sys.executable, "-m", "enhance", "open", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | settings | environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return done, opened.read_text()


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("private"), ENHANCE_AUTH="ann:a,bob:b") as server:
        yield server


def test_the_page_shows_photos_that_were_opened(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    namesake = tmp_path / PRINT.name
    shutil.copy(SMALL, namesake)
    done, address = enhance_open(tmp_path, server.url, PRINT, namesake)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == address
    assert re.fullmatch(rf"{re.escape(server.url)}/\?photos=[0-9a-f]{{32}}", address)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{address}&size=1x")
        expect(page.locator("#gallery button.thumbnail-lg")).to_have_count(2)
        page.wait_for_url(re.compile(r"\?size=1x$"))  # nobody shares the key by sharing the link
        page.click("#enhance")
        finish(page, 2)
        page.goto(f"{server.url}/?photos={'0' * 32}")
        expect(page.get_by_text("These photos have expired")).to_be_visible()


def test_the_page_is_started_if_it_does_not_run(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    files, logs = tmp_path / "files", tmp_path / "state"
    settings = {"GRADIO_TEMP_DIR": str(files), "XDG_STATE_HOME": str(logs)}
    done, address = enhance_open(tmp_path, url, SMALL, **settings)
    started = re.search(r"process (\d+)", done.stderr)
    assert started, done.stderr
    try:
        assert done.returncode == 0, done.stderr
        assert httpx.get(f"{url}/health").json()["version"] == VERSION
        (photo,) = files.glob(f"results-*/{address.partition('=')[2]}/*/source.jpg")
        assert photo.read_bytes() == SMALL.read_bytes()
        again, _ = enhance_open(tmp_path, url, **settings)
        assert again.stdout.strip() == url and not again.stderr
    finally:
        os.kill(int(started[1]), signal.SIGTERM)


def test_a_login_is_needed_where_there_is_one(private: Server, tmp_path: Path) -> None:
    done, opened = enhance_open(tmp_path, private.url, SMALL)
    assert done.returncode == 1 and "Set ENHANCE_AUTH=user:password" in done.stderr and not opened
    done, _ = enhance_open(tmp_path, private.url, SMALL, ENHANCE_AUTH="ann:b")
    assert done.returncode == 1 and not list(private.files.glob("results-*/*"))
    done, opened = enhance_open(tmp_path, private.url, SMALL, ENHANCE_AUTH="bob:b,ann:a")
    assert done.returncode == 0 and opened.startswith(private.url), done.stderr


def test_what_cannot_be_opened_is_said(server: Server, tmp_path: Path) -> None:
    done, opened = enhance_open(tmp_path, server.url, tmp_path / "missing.jpg")
    assert done.returncode == 1 and "missing.jpg" in done.stderr and not opened
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.listen()
        other.settimeout(120)
        port = other.getsockname()[1]
        command = subprocess.Popen(
            [sys.executable, "-m", "enhance", "open", SMALL],
            cwd=ROOT,
            env=os.environ | {"GRADIO_SERVER_PORT": str(port)},
            stderr=subprocess.PIPE,
            text=True,
        )
        visitor, _ = other.accept()
        with visitor:
            visitor.recv(4096)
            visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            _, said = command.communicate(timeout=120)
    assert command.returncode == 1 and "is not this program's page" in said


@contextmanager
def imitation(status: int, answer: Any, owner: int | None = None) -> Iterator[list[bytes]]:
    """What another program takes in at the page's address, if it says that it is the page and
    answers so. owner: the number of the user whose program it is."""
    taken: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            if owner is not None:
                os.fchown(self.connection.fileno(), owner, -1)

        def tell(self, status: int, told: Any) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.tell(200, {"ready": True, "version": VERSION})

        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.tell(status, answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch, HTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        patch.setenv("GRADIO_SERVER_PORT", str(other.server_port))
        yield taken
        other.shutdown()


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (200, {"page": "--gpu-launcher=id"}, "is not this program's page"),
        (200, {"page": f"--gpu-launcher=id ?photos={'a' * 32} "}, "is not this program's page"),
        (200, {"page": ["x"]}, "is not this program's page"),
        (200, [], "is not this program's page"),
        (400, {"detail": "\x1b]0;owned\a\u202e"}, "\\x1b]0;owned\\x07\\u202e"),
        (400, {}, "is not this program's page"),
        (200, {"page": f"--gpu-launcher=id?photos={'a' * 32}"}, ""),
    ],
)
def test_of_an_answer_only_the_key_reaches_the_browser(
    status: int,
    answer: Any,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with imitation(status, answer) as taken:
        code = open_page.main([str(SMALL)])
    assert len(taken) == 1 and said in capsys.readouterr().err
    if said:
        assert code == 1 and not opened
    else:
        (address,) = opened
        assert re.fullmatch(rf"http://127.0.0.1:\d+/\?photos={'a' * 32}", address)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux says whose it is")
def test_another_users_program_gets_no_photos(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    me = os.getuid()
    if me:  # only root can give something to somebody else
        monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with imitation(200, {"page": f"/?photos={'a' * 32}"}, None if me else 65534) as taken:
        assert open_page.main([str(SMALL)]) == open_page.main([]) == 1
    assert not taken and not opened
    assert "or another user's" in capsys.readouterr().err


def hand_over(batches: BatchStore, saved: Callable[[], None], *names: str) -> str:
    """Hand over photos of these names, which they also hold; returns their key."""
    scope = {
        "type": "http",
        "path": "/v1/photos",
        "root_path": "",
        "headers": [(b"host", b"testserver"), (REQUEST_HEADER.encode(), b"request")],
        "app": FastAPI(),
        "state": {"client": "10.0.0.1", "saved": saved},
    }
    photos = [UploadFile(io.BytesIO(name.encode()), filename=name) for name in names]
    (endpoint,) = (
        route.endpoint
        for route in http_routes(batches, None)  # type: ignore[arg-type]
        if isinstance(route, APIRoute) and route.path == "/v1/photos"
    )
    page: str = endpoint(HandedForm(photos=photos), Request(scope)).page
    return page.partition("=")[2]


def test_handed_photos_are_only_found_by_their_key(engine: LocalEngine, tmp_path: Path) -> None:
    batches = BatchStore(engine, tmp_path, Limits())
    names = ("../../a.jpg", "a.jpg", "C:\\b.PNG", "x" * 300 + ".webp", "..", "script.html", "\0\n")
    key = hand_over(batches, lambda: None, *names)
    batch = batches.get(key)
    assert batch
    photos = [entry.source.path for entry in batch.entries]
    assert [photo.read_bytes() for photo in photos] == [name.encode() for name in names]
    assert all(photo.resolve().parents[1] == batch.folder for photo in photos)
    assert [photo.suffix for photo in photos] == [".jpg", ".jpg", ".png", ".webp", "", "", ""]
    for wrong in ("", ".", "..", key[:-1], f"../{tmp_path.name}/{key}", "*" * 32, None):
        assert batches.get(wrong) is None


def test_the_key_leads_to_nothing_that_is_added_or_made_on_the_page(
    page: Page, server: Server
) -> None:
    """Somebody else may have handed the photos over, and sent a person the address."""
    names = ("C:\\a<b>.JPG", "script.html", "..")
    photos = [("photos", (name, SMALL.read_bytes())) for name in names]
    address = httpx.post(f"{server.url}/v1/photos", files=photos).json()["page"]
    page.goto(f"{address}&size=1x")
    pictures = page.locator(PICTURES)
    expect(pictures).to_have_count(3)
    shown = [picture.get_attribute("alt") for picture in pictures.all()]
    assert shown == ["ab.jpg", "script", "photo"]
    drop(page, PORTRAIT)
    expect(pictures).to_have_count(4)
    page.click("#enhance")
    finish(page, 4)
    batch = f"{server.url}/batches/{address.partition('=')[2]}"
    assert httpx.get(f"{batch}/report.json").json() == []
    statuses = [httpx.get(f"{batch}/photos/{number}").status_code for number in range(1, 5)]
    assert statuses == [200, 200, 200, 404]


def test_the_key_of_results_leads_to_no_photos(page: Page, server: Server) -> None:
    """It is part of links that people pass on."""
    sent = {"photo": SMALL.read_bytes()}
    told = httpx.post(
        f"{server.url}/v1/enhance", files=sent, headers={"Accept": "application/json"}, timeout=120
    ).json()
    page.goto(f"{server.url}/?photos={told['file'].split('/')[-2]}")
    expect(page.get_by_text("These photos have expired. Open them again.")).to_be_visible()
    expect(page.locator(PICTURES)).to_have_count(0)


def test_handed_photos_take_from_the_share_of_who_sent_them(tmp_path: Path) -> None:
    """As with other batches, the oldest ones make room."""
    photo = ("photos", ("a.jpg", (SAMPLES / "group.jpg").read_bytes()))
    limits = {"ENHANCE_MAX_DISK_BYTES": "1000000", "ENHANCE_TRUSTED_PROXY": "1"}

    def sent(address: str, count: int = 1) -> httpx.Response:
        headers = {"X-Forwarded-For": address}
        return httpx.post(f"{server.url}/v1/photos", files=[photo] * count, headers=headers)

    def kept(answer: httpx.Response) -> bool:
        key = answer.json()["page"].partition("=")[2]
        return httpx.get(f"{server.url}/batches/{key}/report.json").is_success

    with running(tmp_path, **limits) as server:
        other, *own = sent("10.0.0.2"), *(sent("10.0.0.1") for _ in range(8))
        left = [answer for answer in own if kept(answer)]
        assert kept(other) and 0 < len(left) < len(own) and left == own[-len(left) :]
        used = sum(path.stat().st_size for path in server.files.rglob("source.jpg"))
        assert used <= 250_000 + len(photo[1][1])
        refused = sent("10.0.0.1", 8)
    assert refused.status_code == 507
    assert refused.json()["kind"] == "" and "share" in refused.json()["detail"]


def test_handed_photos_have_a_sender_before_they_are_no_longer_expected(
    engine: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, for a moment, they would take from nobody's share. `UploadShares` expects them
    until they are said to be saved."""
    batches = BatchStore(engine, tmp_path, Limits())
    told: list[str] = []
    start = batches.start

    def noting(*arguments: Any, client: str, **more: Any) -> Batch:
        batch = start(*arguments, client=client, **more)
        told.append(batch.client)
        return batch

    monkeypatch.setattr(batches, "start", noting)
    hand_over(batches, lambda: told.append("saved"), "a.jpg")
    assert told == ["10.0.0.1", "saved"]


def test_file_managers_offer_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    python = tmp_path / 'a $HOME "100%" \\ folder' / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    path = desktop.install()
    assert path == tmp_path / "applications" / "enhance.desktop" == desktop.entry()
    if validate := shutil.which("desktop-file-validate"):
        done = subprocess.run([validate, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path, "utf-8")
    entry = dict(parser["Desktop Entry"])
    assert {"image/jpeg", "image/heic", "image/tiff"} <= set(entry["MimeType"].split(";"))
    assert Path(entry["Path"]) == ROOT and Path(entry["Icon"]).is_file()
    said = re.sub(r"\\(.)", r"\1", entry["Exec"])  # as a string of the file
    argument = re.match(r'"((?:[^"\\`$]|\\.)*)" ', said.replace("%%", "%"))
    assert argument and re.sub(r"\\(.)", r"\1", argument[1]) == str(python)
    assert entry["Exec"].endswith("-m enhance open %F")
    desktop.uninstall()
    desktop.uninstall()
    assert not path.exists()
