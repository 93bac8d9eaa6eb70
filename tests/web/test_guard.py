"""Hostile requests, names and clients, against a real server and in a real browser."""

import csv
import io
import json
import os
import re
import secrets
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Dialog, Page, expect
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

import app
from enhance.limits import Limits
from enhance.web.batches.disk_shares import NO_ROOM
from enhance.web.language import CHINESE
from enhance.web.plain_http import http_routes
from enhance.web.server import middleware
from enhance.web.server.body import Body
from enhance.web.server.middleware import (
    MAX_AT_ONCE,
    MAX_LOGINS_PER_MINUTE,
    MAX_POSTS,
    POST_SECONDS,
    Guard,
)
from enhance.web.server.problems import MEDIA_TYPE
from enhance.web.server.routes import routes
from tests.server import SAMPLES, Server, running
from tests.web.api_photos import QUICK, results, square
from tests.web.hands import HEADLINE, PICTURES, SMALL, states

KEY = "0" * 32

# every answer


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/config", 200),
        ("/theme.css", 200),
        ("/manifest.json", 200),
        ("/gradio_api/info", 200),
        ("/gradio_api/openapi.json", 200),
        ("/robots.txt", 200),
        ("/nowhere", 404),
        ("/gradio_api/file=/etc/passwd", 403),
        ("/gradio_api/upload", 405),
        (f"/batches/{KEY}/report.csv", 404),
        (f"/batches/{KEY}/enhanced_photos.zip", 404),
    ],
)
def test_every_answer_has_safe_headers(server: Server, path: str, status: int) -> None:
    answer = httpx.get(server.url + path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
    assert answer.headers["cache-control"]  # what does not say otherwise is private


def test_no_shared_cache_keeps_a_result(server: Server, tmp_path: Path) -> None:
    photo = handle_file(square(tmp_path / "kept.png", QUICK))
    Client(server.url, verbose=False).predict(photo, api_name="/enhance")
    (mine,) = results(server, "kept")
    batch = f"{server.url}/batches/{mine.parts[-4]}"
    urls = [f"{server.url}/gradio_api/file={mine}", f"{batch}/enhanced_photos.zip"]
    for url in (*urls, f"{batch}/report.csv", f"{batch}/photos/1"):
        assert "private" in httpx.get(url).headers["cache-control"], url


def test_a_space_is_framed_by_hugging_face_and_nothing_else() -> None:
    assert app.framed_by({}) == "'self'"
    allowed = app.framed_by({"SPACE_ID": "ann/photos"}).split()
    assert allowed == ["'self'", "https://huggingface.co", "https://*.hf.space"]


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.xml", "a.js", "a.pdf", "a.jpg.html", "a"])
def test_uploads_that_are_no_photos_are_never_shown(server: Server, name: str) -> None:
    content = f"<script>alert(1)</script>{name}".encode()
    files = {"files": (name, content)}
    (path,) = httpx.post(f"{server.url}/gradio_api/upload", files=files).json()
    answer = httpx.get(f"{server.url}/gradio_api/file={quote(path)}")
    assert answer.content == content
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/pwa_icon", "/pwa_icon/192", "/pwa_icon/512"])
def test_the_icon_in_its_sizes(server: Server, path: str) -> None:
    assert httpx.get(server.url + path).headers["content-type"] == "image/png"


@pytest.mark.parametrize("size", ["193", "20000", "0192", "+192", "192.0", "-1", "１９２", "512/1"])
def test_the_icon_is_made_in_no_other_size(server: Server, size: str) -> None:
    answer = httpx.get(f"{server.url}/pwa_icon/{quote(size)}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is nothing at this address."


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_a_page_gets_the_chinese_script(server: Server, method: str) -> None:
    answer = httpx.request(method, server.url, headers={"Accept-Language": "zh"})
    assert answer.status_code == 405
    assert answer.json() == {"detail": "Method Not Allowed"}
    assert "<script>" in httpx.get(server.url, headers={"Accept-Language": "zh"}).text


# what one visitor says to another


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-Prefix", "X-Gradio-Server"])
def test_a_client_cannot_say_what_only_a_proxy_may(server: Server, name: str) -> None:
    for path in ("/gradio_api/info", "/config", "/"):
        for value in ("owned.example", "http://owned.example"):
            answer = httpx.get(server.url + path, headers={name: value})
            assert answer.status_code == 200
            assert "owned.example" not in answer.text
    assert server.url in httpx.get(f"{server.url}/gradio_api/info").text


def test_a_trusted_proxy_says_how_it_is_called() -> None:
    web = guarded(proxy=True)
    headers = {"X-Forwarded-Host": "photos.example", "X-Gradio-Server": "http://owned.example"}
    assert web.post("/headers", headers=headers).json()["x-forwarded-host"] == "photos.example"
    assert "x-gradio-server" not in web.post("/headers", headers=headers).json()
    assert "x-forwarded-host" not in guarded().post("/headers", headers=headers).json()


HOME = "http://testserver"
OTHERS = ("http://other.example", "http://testserver.other.example", "null", "http://[", "x")


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/other", "/login"])
def test_pages_of_other_websites_send_nothing(path: str) -> None:
    web = guarded()
    for origin in OTHERS:
        answer = web.post(path, headers={"Origin": origin})
        assert answer.status_code == 403, origin
        assert "other websites" in answer.json()["detail"]
        assert web.post(path, headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"}).is_error
    for own in ({}, {"Origin": HOME}, {"Origin": f"{HOME}:8080"}):
        assert web.post(path, headers=own).status_code in (200, 429), own


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_pages_of_other_websites_read_nothing(method: str) -> None:
    web = guarded()
    for origin in OTHERS:
        assert web.request(method, "/other", headers={"Origin": origin}).status_code == 403, origin
    # It is only for POST; somebody who follows a link sends no Origin, but may say where from.
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for own in ({}, {"Origin": HOME}, link):
        assert web.request(method, "/other", headers=own).status_code == 405, own
    for mode in ("no-cors", "cors", "websocket"):  # a picture, for example
        shown = link | {"Sec-Fetch-Mode": mode}
        assert web.request(method, "/other", headers=shown).status_code == 403, mode
    form = link | {"Origin": OTHERS[0]}
    assert web.request(method, "/other", headers=form).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:7860", "http://127.0.0.1:7860", 200),
        ("127.0.0.1:7860", "http://127.0.0.1:3000", 403),
        ("127.0.0.1:7860", "http://127.0.0.1", 403),
        ("[::1]:7860", "http://[::1]:7860", 200),
        ("[::1]:7860", "http://[::1]:3000", 403),
        ("photos.example:443", "https://photos.example", 200),
        ("photos.example", "https://photos.example:8443", 200),  # the proxy does not say the port
    ],
)
def test_another_port_is_another_website(host: str, origin: str, status: int) -> None:
    headers = {"Host": host, "Origin": origin}
    assert guarded().post("/other", headers=headers).status_code == status
    # A browser that says so itself is believed.
    said = headers | {"Sec-Fetch-Site": "same-site"}
    assert guarded().post("/other", headers=said).status_code == 403


def test_behind_a_proxy_the_page_has_the_name_that_the_proxy_says() -> None:
    origin = {"Origin": "https://photos.example"}
    named = {**origin, "X-Forwarded-Host": "photos.example"}
    assert guarded(proxy=True).post("/other", headers=named).status_code == 200
    assert guarded(proxy=True).post("/other", headers=origin).status_code == 403
    assert guarded().post("/other", headers=named).status_code == 403, "anybody can say so"
    # A browser knows it better than any header that a proxy may have changed.
    certain = {**origin, "Sec-Fetch-Site": "same-origin"}
    assert guarded().post("/other", headers=certain).status_code == 200


@pytest.fixture
def website() -> Iterator[int]:
    """The port of another website on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield other.server_port
        other.shutdown()


def test_another_website_sends_no_photo(server: Server, browser: Browser, website: int) -> None:
    """A page on another host, in a browser in which the server's page can be used."""
    send = """async (url) => {
      const body = new FormData();
      body.append("files", new File(["x"], "planted.jpg"));
      await fetch(url, {method: "POST", mode: "no-cors", credentials: "include", body});
    }"""
    url = f"{server.url}/gradio_api/upload"
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://localhost:{website}")
        page.evaluate(send, url)
        assert not list(server.files.glob("*/planted.jpg"))
        page.goto(server.url)
        page.evaluate(send, url)
        assert list(server.files.glob("*/planted.jpg"))


def test_another_website_reads_nothing(server: Server, browser: Browser, website: int) -> None:
    """Even on the same host, which Gradio lets read everything, with the visitor's login."""
    read = "async (url) => (await fetch(url, {credentials: 'include'})).status"
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{website}")
        assert page.evaluate(read, f"{server.url}/v1/models") == 403
        page.evaluate("(url) => { location = url }", f"{server.url}/v1/models")
        page.wait_for_url(f"{server.url}/**")  # following a link is no reading
        assert page.evaluate(read, f"{server.url}/v1/models") == 200


# values that no widget sends


ODD: list[Any] = [None, -1, 10**30, 10**400, 1e308, "x", [], {}, [[]], {"a": 1}, True]
ODD_EVENTS: list[Any] = [
    *ODD,
    {"index": "x"},
    {"index": -5},
    {"index": 10**400},
    {"index": [1]},
    {"left": {}, "right": []},
    {"face": -1, "on": 1},
    {"face": [0], "on": {}},
]


def handlers(server: Server) -> dict[str, int]:
    """The page's hidden functions: each one's name and number."""
    dependencies = httpx.get(f"{server.url}/config").json()["dependencies"]
    return {one["api_name"]: one["id"] for one in dependencies}


def ask(server: Server, handler: int, data: list[Any], event: Any = None) -> httpx.Response:
    body = {"data": data, "fn_index": handler, "session_hash": "forged", "event_data": event}
    return post(f"{server.url}/gradio_api/run/predict", body)


def taken_in(server: Server, files: Any) -> dict[str, Any]:
    """What the server answers when these files are said to have been uploaded to a new page."""
    session = secrets.token_hex(8)
    take = handlers(server)["_take_files"]
    body = {"data": ["", files], "fn_index": take, "session_hash": session}
    post(f"{server.url}/gradio_api/queue/join", body).raise_for_status()
    url = f"{server.url}/gradio_api/queue/data?session_hash={session}"
    with httpx.stream("GET", url, timeout=60) as events:
        for line in events.iter_lines():
            if "process_completed" in line:
                answer: dict[str, Any] = json.loads(line.removeprefix("data: "))
                return answer
    raise AssertionError("no answer")


def post(url: str, body: Any) -> httpx.Response:
    """What is answered as soon as it is not too much at once."""
    while (answer := httpx.post(url, json=body, timeout=60)).status_code == 429:
        time.sleep(1)
    return answer


def faults(server: Server) -> int:
    """Tracebacks so far of errors in the app's own code."""
    told = server.log.read_text("utf-8").split("Traceback")[1:]
    return sum(f"{os.sep}enhance{os.sep}" in one for one in told)


def settings_of(server: Server) -> list[Any]:
    """The values that the widgets of the settings have at first."""
    config = httpx.get(f"{server.url}/config").json()
    values = {one["id"]: one["props"].get("value") for one in config["components"]}
    (changed,) = [one for one in config["dependencies"] if one["api_name"] == "_changed"]
    return [values[number] for number in changed["inputs"][1:]]


def test_odd_values_are_no_faults(server: Server, tmp_path: Path) -> None:
    photo = handle_file(square(tmp_path / "odd.png", QUICK))
    Client(server.url, verbose=False).predict(photo, api_name="/enhance")
    (mine,) = results(server, "odd")
    numbers, before = handlers(server), faults(server)
    for value in ODD:
        for name in ("_offer", "_wait"):
            assert ask(server, numbers[name], [value]).status_code == 200, (name, value)
        for pair in ([value, None], [None, value]):
            assert ask(server, numbers["_restore"], pair).status_code == 200, pair
        for name in ("_reopen", "_stop", "_give_up", "_open", "_close"):
            assert "expired" in ask(server, numbers[name], [value]).json()["error"]
    for event in ODD_EVENTS:
        for name in ("_look", "_look_1", "_compare"):
            answer = ask(server, numbers[name], [mine.parts[-4]], event)
            assert answer.status_code == 200, (name, event)
    values = settings_of(server)
    for place in range(len(values)):
        for odd in ODD:
            changed = [*values[:place], odd, *values[place + 1 :]]
            answer = ask(server, numbers["_changed"], [None, *changed])
            assert answer.status_code == 200, (place, odd)
    assert faults(server) == before


def test_the_log_holds_little_of_what_is_sent(server: Server) -> None:
    before = server.log.stat().st_size
    answer = ask(server, handlers(server)["_changed"], ["secret words " * 50_000])
    assert answer.status_code == 500  # too few values, which Gradio logs as they are
    told = server.log.read_bytes()[before:]
    assert b"characters left out" in told
    assert len(told) < 30_000


# files that are not the visitor's


def traversals(server: Server) -> Iterator[str]:
    inside = str(server.files)
    targets = ["/etc/passwd", str(server.log), str(Path.cwd() / "app.py"), str(Path.home())]
    for target in targets:
        yield target
        yield f"{inside}/..{target}"
        yield f"{inside}/{'../' * 12}{target.lstrip('/')}"
        yield "../" * 12 + target.lstrip("/")
        yield f"{inside}/..%2f..%2f..%2f..%2f..%2f..{target}"
        yield f"file://{target}"
        yield f"{target}\0.jpg"
        yield f"/{target}"
        yield f"{inside}/./../{Path(target).name}"
    yield inside
    yield f"{inside}/"
    yield ".env"
    yield "app.py"


def test_no_photo_beside_the_uploads_is_read(server: Server, tmp_path: Path) -> None:
    path = str(square(tmp_path / "private.png", QUICK))
    photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
    shapes: list[Any] = [path, photo, {"path": path}, {"root": [photo]}, {"root": [{"path": path}]}]
    shapes += [{"path": path, "meta": {"_type": kind}} for kind in ("", "gradio.Other", None)]
    shapes += [{"path": path, "meta": None}, {"path": path, "meta": {}}, {**photo, "url": path}]
    shapes += [{**photo, "orig_name": path, "size": 1, "is_stream": True}]
    shapes += [[shape] for shape in shapes]
    for shape in shapes:
        answer = taken_in(server, shape)
        assert not answer["success"], shape
        assert "photo" not in str(answer["output"]), shape


def test_no_path_leads_to_other_files(server: Server) -> None:
    tried = 0
    for route in ("/gradio_api/file=", "/gradio_api/file/"):
        for path in traversals(server):
            answer = httpx.get(server.url + route + quote(path, safe="/.:%"))
            assert answer.status_code in (400, 403, 404), path
            assert "root:" not in answer.text and "import " not in answer.text
            tried += 1
    assert tried == 80


def test_no_path_leads_out_of_a_batch(server: Server) -> None:
    names = ("report.csv", "report.json", "enhanced_photos.zip", "../../app.py", "0/a.png")
    keys = ("", ".", "..", "../..", "%2e%2e", KEY, "results-*", "*", "' or 1=1", "\0", "a" * 5000)
    for key in keys:
        for name in names:
            answer = httpx.get(f"{server.url}/batches/{quote(key, safe='%/.')}/{name}")
            assert answer.status_code in (400, 404), (key, name)
    for number in ("9" * 5000, "9" * 30, "1e9", "-1", "x"):
        answer = httpx.get(f"{server.url}/batches/{KEY}/photos/{number}")
        assert answer.status_code == 404, number


def test_a_batch_is_not_found_without_its_key(server: Server, tmp_path: Path) -> None:
    client = Client(server.url, verbose=False)
    client.predict(handle_file(square(tmp_path / "mine.png", QUICK)), api_name="/enhance")
    (mine,) = results(server, "mine")
    assert httpx.get(f"{server.url}/gradio_api/file={mine}").status_code == 200
    key = mine.parts[-4]
    assert len(key) == 32 and int(key, 16)
    guesses = [mine.parents[n] for n in range(1, 5)] + [
        mine.parents[2] / guess / mine.parts[-2] / mine.name
        for guess in (key[:-1], key[:-1] + "?", "*", KEY, key[::-1])
    ]
    for guess in guesses:
        assert httpx.get(f"{server.url}/gradio_api/file={guess}").status_code in (403, 404)


# addresses that the server should fetch


@pytest.fixture
def outside() -> Iterator[tuple[str, list[str]]]:
    """A web server somewhere else, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SMALL.read_bytes())

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{other.server_port}/photo.jpg", asked
        other.shutdown()


def addresses(outside: str) -> list[str]:
    return [
        outside,
        outside.upper(),
        f" {outside}",
        outside.replace("127.0.0.1", "localhost"),
        "http://93.184.215.14/photo.jpg",  # a public address: Gradio itself would fetch it
        "https://example.com/photo.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/photo.jpg",
        "http:/example.com/photo.jpg",
    ]


SENDING = (
    "/gradio_api/call/enhance",
    "/gradio_api/call/enhance_batch",
    "/gradio_api/call/v2/enhance",
    "/gradio_api/run/enhance",
    "/gradio_api/api/enhance",
    "/gradio_api/queue/join",
    "/gradio_api/queue/join?",
    "/gradio_api/run/enhance/",
)


def test_no_address_is_fetched(server: Server, outside: tuple[str, list[str]]) -> None:
    address, asked = outside
    tried = 0
    for path in addresses(address):
        file = {"path": path, "url": path, "meta": {"_type": "gradio.FileData"}}
        for data in ([file], [[file]], {"photo": file}, [{"value": {"deep": [file]}}]):
            for route in SENDING:
                body = {"data": data, "fn_index": 0, "session_hash": "x"}
                answer = post(server.url + route, body)
                assert answer.status_code == 400, (route, path)
                assert answer.json()["detail"].startswith("This server does not fetch photos")
                tried += 1
    assert tried == 9 * 4 * 8
    for path in addresses(address):
        for route in ("/gradio_api/file=", "/gradio_api/file/", "/gradio_api/proxy="):
            assert httpx.get(server.url + route + path).status_code in (403, 404)
    assert not asked


def test_a_client_that_sends_an_address_fails(
    server: Server, outside: tuple[str, list[str]]
) -> None:
    client = Client(server.url, verbose=False)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        client.predict(handle_file(outside[0]), api_name="/enhance")
    assert set(outside[1]) <= {"/photo.jpg"}  # asked by the client at most, which may


@pytest.mark.parametrize(
    "path", ["process_recording", "component_server", "proxy=x", "custom_component/x/client/a/b"]
)
def test_parts_of_gradio_that_nobody_needs_are_closed(server: Server, path: str) -> None:
    url = f"{server.url}/gradio_api/{path}"
    for answer in (httpx.post(url, files={"file": b"x"}), httpx.get(url)):
        assert answer.json()["detail"] == "There is nothing at this address."


def test_no_address_prints_what_it_is_sent(server: Server) -> None:
    line = "%0A2026-01-01 00:00:00,000 ERROR enhance [-] forged%1B[31m"
    httpx.get(f"{server.url}/gradio_api/custom_component/x{line}/client/a/b")
    assert "forged" not in server.log.read_text("utf-8")


# floods


PHOTOS = 100
BODY = 64 * 1024 + 2 * 1024 * PHOTOS


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def unslowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals in this process come at once."""
    monkeypatch.setattr(middleware, "SLOWED_SECONDS", 0)


def guarded(clock: Clock | None = None, *, proxy: bool = False, root: str = "") -> TestClient:
    """A small app that reads what it is sent, behind a guard with small limits."""

    async def read(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    async def headers(request: Request) -> JSONResponse:
        return JSONResponse(dict(request.headers))

    few = Limits(
        max_photos=PHOTOS,
        max_request_bytes=1000,
        max_uploads_per_minute=3,
        max_upload_bytes_per_minute=2500,
    )
    outer = Middleware(Guard, limits=few, behind_proxy=proxy, clock=clock or Clock())
    paths = ("/gradio_api/upload", "/login", "/other")
    routes = [Route(path, read, methods=["POST"]) for path in paths]
    routes.append(Route("/headers", headers, methods=["POST"]))
    return TestClient(Starlette(routes=routes, middleware=[outer]), root_path=root)


def upload(web: TestClient, size: int = 1, forwarded: str = "", root: str = "") -> int:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    url = f"{root}/gradio_api/upload"
    return web.post(url, content=bytes(size), headers=headers).status_code


@pytest.mark.parametrize("root", ["", "/photos"])
def test_uploads_a_minute(root: str) -> None:
    clock = Clock()
    web = guarded(clock, root=root)
    assert [upload(web, root=root) for _ in range(5)] == [200, 200, 200, 429, 429]
    clock.now += 60
    assert upload(web, root=root) == 429
    clock.now += 1
    assert [upload(web, root=root) for _ in range(4)] == [200, 200, 200, 429]


def served(guarded: Guard, path: str, body: Iterator[bytes]) -> list[Message]:
    """The answer to a body that comes in such pieces, and then no more."""
    sent: list[Message] = []

    async def receive() -> Message:
        piece = next(body, None)
        if piece is None:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [
            (b"content-length", b"1000"),
            (b"content-type", b"multipart/form-data; boundary=bound"),
        ],
        "client": ("10.0.0.1", 1),
        "app": Starlette(),
    }
    with ThreadPoolExecutor() as apart:  # from the loop of the browser's tests
        apart.submit(anyio.run, guarded, scope, receive, send).result()
    return sent


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_files_a_minute(step: int) -> None:
    """Each file of an upload counts, wherever the network cuts it."""

    def upload_of(count: int) -> int:
        head = b'--bound\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        body = (head + b"--b\r\n") * count + b"--bound--\r\n"
        left = len(body)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal left
            while left:
                left -= len((await receive())["body"])
            await PlainTextResponse("all of it")(scope, receive, send)

        few = Guard(app, Limits(max_uploads_per_minute=3), clock=Clock())
        pieces = (body[at : at + step] for at in range(0, len(body), step))
        try:
            return int(served(few, middleware.UPLOAD, pieces)[0]["status"])
        except MultiPartException as refusal:  # Gradio answers with its message
            assert "Try again in a minute" in refusal.message
            return 400

    assert [upload_of(count) for count in (1, 2, 3, 4, 40)] == [200, 200, 200, 400, 400]


def test_bytes_a_minute() -> None:
    clock = Clock()
    web = guarded(clock)
    assert [upload(web, 1000) for _ in range(3)] == [200, 200, 429]
    assert upload(web) == 200, "what is refused does not count as a file either"
    clock.now += 61
    assert upload(web, 1000) == 200


def test_bytes_of_one_upload() -> None:
    web = guarded()
    assert upload(web, 1000) == 200
    answer = web.post("/gradio_api/upload", content=bytes(1001), headers={"Accept-Language": "zh"})
    assert answer.status_code == 413
    assert "请一次少发一些照片" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/other"])
@pytest.mark.parametrize("length", [{}, {"Content-Length": "5", "Transfer-Encoding": "chunked"}])
def test_a_request_says_its_length(path: str, length: dict[str, str]) -> None:
    """A body in chunks has no end that is known before, whatever length its headers add."""
    web = guarded()
    request = web.build_request("POST", path, content=iter([b"[", b"1]"]), headers=length)
    assert web.send(request).status_code == 411


def test_a_refusal_further_inside_is_a_sentence_too() -> None:
    async def full(scope: Scope, receive: Receive, send: Send) -> None:
        raise HTTPException(507, NO_ROOM)

    both = [Middleware(Guard, limits=Limits()), Middleware(lambda _: full)]
    web = TestClient(Starlette(middleware=both))
    answer = web.post(middleware.UPLOAD, content=b"x", headers={"Accept-Language": "zh"})
    assert answer.status_code == 507 and "服务器" in answer.json()["detail"]


def test_requests_at_once(server: Server) -> None:
    """One client cannot hold all connections: others are still served, and so is it afterwards."""
    opened, url = 0, f"{server.url}/gradio_api/heartbeat/held"
    with httpx.Client(limits=httpx.Limits(max_connections=None)) as client, ExitStack() as held:
        while held.enter_context(client.stream("GET", url)).status_code == 200:
            opened += 1
            assert opened <= MAX_AT_ONCE
        refused = httpx.get(server.url)
        assert refused.status_code == 429 and "Too many requests" in refused.json()["detail"]
    assert opened > MAX_AT_ONCE / 2  # less what earlier tests have left open
    while httpx.get(server.url).status_code == 429:
        time.sleep(0.1)


@pytest.mark.parametrize("size", [BODY, BODY + 1])
def test_other_requests_are_small(size: int) -> None:
    answer = guarded().post("/other", content=bytes(size))
    assert answer.status_code == (200 if size <= BODY else 413)


def named(name: str) -> dict[str, Any]:
    """A file as the page names it."""
    path = f"/tmp/gradio/{'0' * 64}/{name}"
    return {
        "path": path,
        "url": f"https://photos.example.org/gradio_api/file={quote(path)}",
        "size": 10**8,
        "orig_name": name,
        "mime_type": "image/vnd.adobe.photoshop",
        "is_stream": False,
        "meta": {"_type": "gradio.FileData"},
    }


@pytest.mark.parametrize("letter", ["a", "é", "照"])
def test_a_whole_batch_of_long_names_is_no_large_request(letter: str) -> None:
    name = letter * (250 // len(letter.encode())) + ".jpeg"
    body = {"data": [[named(name)] * PHOTOS, *range(20)], "fn_index": 1, "session_hash": "x" * 20}
    assert guarded().post("/other", json=body).status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        [{}] * 4000,
        [[]] * 4000,
        [0] * 4000,
        {str(i): 0 for i in range(4000)},
    ],
)
def test_requests_of_many_values_are_refused(data: Any) -> None:
    answer = guarded().post("/other", json={"data": data})
    assert answer.status_code == 413
    assert "Send fewer photos at once" in answer.json()["detail"]


def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.05)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("what has not come was served")

    assert served(Guard(app, Limits()), "/other", iter([b"[", b"1,"]))[0]["status"] == 408


def test_an_upload_that_does_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app deletes what has come of it, and its own answer is not sent."""
    monkeypatch.setattr(middleware, "UPLOAD_SECONDS", 0.05)
    part = tmp_path / "part"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        part.touch()
        try:
            while (await receive())["type"] == "http.request":
                pass
        except MultiPartException as refusal:  # as Gradio does
            part.unlink()
            await PlainTextResponse(refusal.message, 400)(scope, receive, send)

    answer, body = served(Guard(app, Limits()), middleware.UPLOAD, iter([b"--bound", b"\r\n"]))
    assert answer["status"] == 408 and not part.exists()
    assert (b"content-type", b"application/problem+json") in answer["headers"]
    assert json.loads(body["body"])["detail"].startswith("This request took too long to arrive")


def test_who_has_sent_all_of_it_in_time_may_wait_for_the_answer() -> None:
    whole: Message = {"type": "http.request", "body": b"all of it", "more_body": False}
    left = [whole]

    async def receive() -> Message:
        if not left:
            await anyio.sleep_forever()
        return left.pop()

    async def wait() -> bool:
        body = Body(receive)
        body.expect(0.05)
        assert await body() == whole
        with anyio.move_on_after(0.2):
            await body()
        return body.late

    with ThreadPoolExecutor() as apart:  # from the loop of the browser's tests
        assert not apart.submit(anyio.run, wait).result()


def test_posts_in_a_few_seconds() -> None:
    """A flood of requests for work is refused before anybody reads them; others do not notice."""
    clock = Clock()
    web = guarded(clock, proxy=True)

    def ask(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return web.post("/other", content=b"{}", headers=headers).status_code

    assert [ask("10.0.0.1") for _ in range(MAX_POSTS + 1)] == [200] * MAX_POSTS + [429]
    assert ask("10.0.0.2") == 200
    assert upload(web, forwarded="10.0.0.1") == 200  # uploads have limits of their own
    clock.now += POST_SECONDS + 1
    assert ask("10.0.0.1") == 200


def test_who_sends_too_much_is_answered_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a client that asks again at once would keep the server busy with refusals."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(middleware, "SLOWED_SECONDS", 7)
    monkeypatch.setattr(anyio, "sleep", sleep)
    web = guarded()
    assert [upload(web) for _ in range(4)] == [200, 200, 200, 429]
    assert web.post("/other", content=bytes(BODY + 1)).status_code == 413
    assert waits == [7]


@pytest.mark.parametrize("root", ["", "/photos"])
def test_tries_to_log_in_a_minute(root: str) -> None:
    web = guarded(root=root)
    tries = [web.post(f"{root}/login").status_code for _ in range(MAX_LOGINS_PER_MINUTE + 1)]
    assert tries == [200] * MAX_LOGINS_PER_MINUTE + [429]
    for other in ("/login%0A", "/login/%0A", "/login%0A/"):
        assert web.post(f"{root}{other}").status_code == 404


def test_a_client_cannot_pretend_to_be_another() -> None:
    web = guarded()
    assert [upload(web, forwarded=f"10.0.0.{i}") for i in range(4)] == [200, 200, 200, 429]


def test_the_server_believes_no_proxy_that_it_was_not_told_of(tmp_path: Path) -> None:
    """Not one on the same machine either, through which anybody's header may have come."""
    with running(tmp_path, ENHANCE_MAX_UPLOADS_PER_MINUTE="3") as server:
        statuses = [
            httpx.post(
                f"{server.url}/gradio_api/upload",
                files={"files": ("a.jpg", b"x")},
                headers={"X-Forwarded-For": f"10.0.0.{i}"},
            ).status_code
            for i in range(4)
        ]
    assert statuses == [200, 200, 200, 429]


def test_behind_a_proxy_clients_are_told_apart() -> None:
    web = guarded(proxy=True)
    assert [upload(web, forwarded=f"10.0.0.{i}") for i in range(6)] == [200] * 6
    # What the client itself put in front of the proxy's word does not count.
    faked = [upload(web, forwarded=f"10.0.1.{i}, 10.9.9.9") for i in range(4)]
    assert faked == [200, 200, 200, 429]
    # A subscriber has a whole network of IPv6.
    assert [upload(web, forwarded=f"2001:db8::{i}") for i in range(4)] == [200, 200, 200, 429]
    assert upload(web, forwarded="2001:db8:0:1::1") == 200


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"path":' * 20_000, b"\xff\xfe", b"NaN", b""])
def test_bodies_that_are_no_plain_data(body: bytes) -> None:
    answer = guarded().post("/other", content=body)
    assert answer.text == str(len(body))


# a login


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a login."""
    folder = tmp_path_factory.mktemp("private")
    with running(folder, ENHANCE_AUTH="ann:pass:word,bob:b") as server:
        yield server


def test_without_logging_in_nothing_is_served(private: Server) -> None:
    paths = (
        "/config",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/queue/data?session_hash=x",
        "/gradio_api/heartbeat/x",
        "/gradio_api/mcp/sse",
        *(f"/batches/{KEY}/{name}" for name in ("report.csv", "report.json")),
        f"/batches/{KEY}/enhanced_photos.zip",
        *(f"/v1/{name}" for name in ("options", "models", "openapi.json", "docs", "batches/x/0")),
    )
    sent = ("/gradio_api/upload", "/gradio_api/call/enhance", "/gradio_api/queue/join")
    for cookies in ({}, {"access-token": "x"}, {"access-token-unsecure-": ""}):
        for path in paths:
            assert httpx.get(private.url + path, cookies=cookies).status_code == 401, path
        for path in (*sent, "/v1/enhance", "/v1/batches"):
            answer = httpx.post(private.url + path, json={"data": []}, cookies=cookies)
            assert answer.status_code == 401, path
    upload = httpx.post(f"{private.url}/gradio_api/upload", content=b"x")
    assert upload.headers["content-type"] == MEDIA_TYPE, "Gradio's refusal comes too late"


@pytest.mark.parametrize(
    "user", ["ann:pass", "ann:", "bob:pass:word", "eve:b", ":", "ann:PASS:WORD"]
)
def test_a_wrong_password(private: Server, user: str) -> None:
    name, _, password = user.partition(":")
    answer = httpx.post(f"{private.url}/login", data={"username": name, "password": password})
    assert answer.status_code in (400, 422)
    assert not answer.cookies


def test_after_logging_in_everything_is_served(private: Server, tmp_path: Path) -> None:
    client = Client(private.url, auth=("ann", "pass:word"), verbose=False)
    photo = handle_file(square(tmp_path / "photo.png", QUICK))
    assert client.predict(photo, api_name="/enhance")[1]["ok"]
    (path,) = results(private, "photo")
    url = f"{private.url}/batches/{path.parts[-4]}/report.csv"
    assert httpx.get(url).status_code == 401
    login = httpx.post(f"{private.url}/login", data={"username": "bob", "password": "b"})
    # The secure one of the two cookies is not sent over plain HTTP.
    cookies = dict(login.cookies)
    assert httpx.get(url, cookies=cookies).status_code == 200
    sent = {"photo": SMALL.read_bytes()}
    answer = httpx.post(f"{private.url}/v1/enhance", files=sent, cookies=cookies, timeout=60)
    assert answer.status_code == 200
    heartbeat = f"{private.url}/gradio_api/heartbeat/x"
    with httpx.stream("GET", heartbeat, cookies=cookies) as answer:
        assert answer.status_code == 200


def test_plain_http_takes_the_password_with_each_request(private: Server, tmp_path: Path) -> None:
    photo = {"photo": square(tmp_path / "photo.png", QUICK).read_bytes()}
    url = f"{private.url}/v1/enhance"
    asked = {"Accept": "application/json"}
    told = httpx.post(url, files=photo, auth=("ann", "pass:word"), headers=asked, timeout=60).json()
    assert httpx.get(told["file"], auth=("bob", "b")).status_code == 200
    wrong = httpx.get(told["file"], auth=("bob", "B"), headers={"Accept-Language": "zh"})
    for answer in (httpx.get(told["file"]), wrong, httpx.post(url, files=photo, auth=("eve", "b"))):
        assert answer.status_code == answer.json()["status"] == 401
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert answer.headers["www-authenticate"].startswith("Basic ")
    assert wrong.json()["detail"] == CHINESE["The user name or the password is wrong."]
    for header in ("Basic", "Basic x", "Basic /////w==", "Bearer Ym9iOmI=", "Basic Og=="):
        answer = httpx.get(f"{private.url}/v1/options", headers={"Authorization": header})
        assert answer.status_code == 401, header
    report = told["file"].replace("/v1", "").removesuffix("/0") + "/report.csv"
    assert httpx.get(report, auth=("bob", "b")).status_code == 401, "only plain HTTP takes it"
    described = httpx.get(f"{private.url}/v1/openapi.json", auth=("bob", "b")).json()
    (scheme,) = described["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "basic")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a login, behind a proxy."""
    folder = tmp_path_factory.mktemp("proxied")
    with running(folder, ENHANCE_AUTH="ann:a", ENHANCE_TRUSTED_PROXY="1") as server:
        yield server


def guess(server: Server, address: str, password: str, **more: Any) -> httpx.Response:
    said, auth = {"X-Forwarded-For": address}, ("ann", password)
    return httpx.get(f"{server.url}/v1/options", auth=auth, headers=said, **more)


def test_wrong_passwords_a_minute(proxied: Server) -> None:
    def status(password: str, address: str = "10.0.0.1", **more: Any) -> int:
        return guess(proxied, address, password, **more).status_code

    assert [status("a") for _ in range(MAX_LOGINS_PER_MINUTE + 1)][-1] == 200
    tries = [status("b") for _ in range(MAX_LOGINS_PER_MINUTE)]
    assert set(tries) == {401}
    assert status("b") == status("a") == 429, "the right one does not show"
    assert status("a", "10.0.0.1:5000") == 429, "some proxies add the port"
    assert status("a", "10.0.0.2") == 200
    form, said = {"username": "ann", "password": "a"}, {"X-Forwarded-For": "10.0.0.1"}
    login = f"{proxied.url}/login"
    assert httpx.post(login, data=form, headers=said).status_code == 429
    said = {"X-Forwarded-For": "10.0.0.2"}
    cookies = dict(httpx.post(login, data=form, headers=said).cookies)
    assert status("b", cookies=cookies) == 200, "logged in on the page, whatever a proxy adds"
    form |= {"password": "b"}
    tries = [
        httpx.post(login, data=form, headers=said, cookies=cookies).status_code
        for _ in range(MAX_LOGINS_PER_MINUTE)
    ]
    assert tries[-1] == 429, "one try was made before there was a cookie"


def test_wrong_passwords_count_from_an_address_with_too_much_open(proxied: Server) -> None:
    """What is refused for another reason must not tell a right password from a wrong one."""
    address, host = "10.0.0.3", ("127.0.0.1", int(proxied.url.rpartition(":")[2]))
    head = f"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\n"
    with ExitStack() as held:
        for _ in range(MAX_AT_ONCE):
            connection = held.enter_context(socket.create_connection(host))
            connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode())
        said = {"X-Forwarded-For": address}
        while httpx.get(f"{proxied.url}/config", headers=said).status_code != 429:
            time.sleep(0.1)
        tries = [guess(proxied, address, "b") for _ in range(MAX_LOGINS_PER_MINUTE)]
        assert {one.status_code for one in tries} == {401}
        right, wrong = guess(proxied, address, "a"), guess(proxied, address, "b")
        assert right.status_code == wrong.status_code == 429 and right.text == wrong.text
        assert guess(proxied, "10.0.0.4", "a").status_code == 200


def test_other_websites_do_not_use_the_password_that_a_browser_keeps(proxied: Server) -> None:
    url, asked = f"{proxied.url}/v1/options", {"X-Forwarded-For": "10.0.0.5"}
    for site in ("http://other.example", "http://127.0.0.1:3000"):
        said = {**asked, "Origin": site}
        answers = [httpx.get(url, auth=("ann", word), headers=said) for word in "ab"]
        assert {answer.status_code for answer in answers} == {403}
        assert answers[0].text == answers[1].text
    assert httpx.get(url, auth=("ann", "a"), headers=asked).status_code == 200


def test_no_address_of_our_own_is_public_but_these(private: Server) -> None:
    """Each new route needs a login, too."""
    own = [*routes(None), *http_routes(None, None)]  # type: ignore[arg-type]
    paths = {re.sub("{.*?}", "0", route.path) for route in own if isinstance(route, Route | Mount)}
    assert len(paths) == len(own)
    public = {path for path in paths if httpx.get(private.url + path).status_code != 401}
    assert public == {"/health", "/health/ready", "/metrics"}
    for path in paths - public:
        for method in ("HEAD", "POST", "PUT", "DELETE"):
            answer = httpx.request(method, private.url + path)
            assert answer.status_code == 401, f"{method} {path}"
    assert httpx.get(f"{private.url}/v1/static/swagger-ui.css").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/options/",
        "/v1/%6fptions",
        "/v1%2Foptions",
        "/v1/options%0A",
        "/v1/options?/v1/static/",
        "/v1/static",
        "/v1/static/../options",
        "/v1/static/%2e%2e/options",
        "/v1/static%2F..%2Foptions",
        "/v1/./options",
        "/v1//options",
        "//v1/options",
        "/V1/options",
        "/x/../v1/options",
        "/%2E/v1/options",
        "http://x/v1/options",
        "http://x//v1/options",
        f"/batches/{KEY}/report.csv/",
        f"/batches%2F{KEY}%2Freport.csv",
        f"//batches/{KEY}/report.csv",
        f"/./batches/{KEY}/report.csv",
        "/gradio_api/heartbeat%2Fx",
        "/gradio_api/heartbeat//x",
        "/gradio_api%2Fheartbeat/x/",
        "/gradio_api//heartbeat/x",
    ],
)
def test_no_way_to_write_an_address_spares_the_login(private: Server, path: str) -> None:
    """As it is, without the tidying of an HTTP client."""
    host = ("127.0.0.1", int(private.url.rpartition(":")[2]))
    with socket.create_connection(host, timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(1000).split()[1] in (b"400", b"401", b"404")


def test_a_login_under_a_root_path(tmp_path: Path) -> None:
    with running(tmp_path, ENHANCE_AUTH="ann:a", GRADIO_ROOT_PATH="/photos") as server:
        for path in ("/v1/options", f"/batches/{KEY}/report.csv", "/gradio_api/heartbeat/x"):
            for root in ("", "/photos"):
                assert httpx.get(server.url + root + path).status_code == 401
        for root in ("", "/photos"):
            url = f"{server.url}{root}/v1/options"
            assert httpx.get(url, auth=("ann", "a")).status_code == 200
            assert httpx.get(url, auth=("ann", "b")).status_code == 401


def test_photos_are_nobody_elses_on_the_machine(server: Server, tmp_path: Path) -> None:
    client = Client(server.url, verbose=False)
    client.predict(handle_file(square(tmp_path / "own.png", QUICK)), api_name="/enhance")
    (enhanced,) = results(server, "own")
    (upload,) = server.files.glob("*/own.png")
    for path in (enhanced, upload, enhanced.parent, upload.parent):
        assert path.stat().st_mode & 0o077 == 0


def test_refused_uploads_leave_nothing(tmp_path: Path) -> None:
    files = [("files", (f"{number}.jpg", b"x")) for number in range(5)]
    url = "/gradio_api/upload"
    with running(tmp_path, ENHANCE_MAX_UPLOADS_PER_MINUTE="4") as server:
        before = set(server.files.iterdir())
        text = httpx.post(f"{server.url}{url}", files=files[:1], data={"text": "kept in memory"})
        assert text.status_code == 400 and text.text == "Only files can be uploaded."
        answer = httpx.post(f"{server.url}{url}", files=files)
        assert answer.status_code == 400
        assert answer.text == "You have uploaded too much within a minute. Try again in a minute."
        assert set(server.files.iterdir()) == before


# names


HOSTILE = (
    "<img src=x onerror='window.owned=1'>.jpg",
    "<script>window.owned=1<_script>.jpg",
    "${window.owned=1}.jpg",
    "{{window.owned=1}}.jpg",
    "`${window.owned=1}`.jpg",
    '"onerror=window.owned=1 x=".jpg',
    "'-(window.owned=1)-'.jpg",
    "[x](javascript:window.owned=1).jpg",
    "![x](x onerror=window.owned=1).jpg",
    "<svg onload=window.owned=1>.jpg",
    "&lt;img src=x onerror=window.owned=1&gt;.jpg",
    "=cmd|' _C calc'!A0.jpg",
    "@SUM(1+1).jpg",
    "-2+3.jpg",
    "\t=1+1.jpg",
    "a\u202egpj.exe.jpg",
    "CON.jpg",
    "..jpg",
    "name with \n a line.jpg",
    "％2e％2e.jpg",
)
"""Names as a file on the server may have them, past everything that Gradio takes out of them."""


def on_server(server: Server, folder: str, content: bytes) -> list[str]:
    paths = [server.files / folder / str(i) / name for i, name in enumerate(HOSTILE)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    return [str(path) for path in paths]


def enhance(page: Page, paths: list[str]) -> None:
    """Give the page files with those paths on the server, and have them enhanced."""
    page.route("**/gradio_api/upload?*", lambda route: route.fulfill(json=paths))
    copies = [
        {"name": f"{i}.jpg", "mimeType": "image/jpeg", "buffer": b"x"} for i in range(len(paths))
    ]
    page.set_input_files("#files input[type=file]", copies)  # type: ignore[arg-type]
    expect(page.locator(PICTURES)).to_have_count(len(paths))
    page.click("#enhance")


@pytest.mark.parametrize("good", [True, False])
def test_hostile_names_run_nothing_in_the_page(
    server: Server, browser: Browser, tmp_path: Path, good: bool
) -> None:
    content = square(tmp_path / "photo.jpg", QUICK).read_bytes() if good else b"no photo"
    paths = on_server(server, f"hostile-{good}", content)
    said: list[str] = []

    def refuse(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    with browser.new_context(locale="en", accept_downloads=True) as context:
        page = context.new_page()
        page.on("dialog", refuse)
        page.goto(server.url)
        page.wait_for_selector("#files")
        enhance(page, paths)
        total = len(HOSTILE)
        end = (
            f"{total} of {total} photos enhanced."
            if good
            else f"0 of {total} photos enhanced, {total} failed."
        )
        expect(page.locator(HEADLINE)).to_contain_text(end)
        assert states(page) == ["done" if good else "failed"] * total
        captions = [each.get_attribute("alt") or "" for each in page.locator(PICTURES).all()]
        assert [caption.partition("\n")[2] for caption in captions] == list(HOSTILE)
        page.locator("#details > button").click()
        expect(page.locator("#table")).to_contain_text("done" if good else "failed")
        if good:
            for number in range(total):
                page.locator("#gallery button.thumbnail-lg").nth(number).click()
                expect(page.locator("#viewer .name")).to_have_text(HOSTILE[number])
        page.wait_for_timeout(500)  # whatever was to load has loaded
        assert page.evaluate("window.owned") is None
        assert (
            page.locator("#status img, #table img, #table script, #viewer .title img").count() == 0
        )
        assert not said
        if good:
            check_downloads(page)


def check_downloads(page: Page) -> None:
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        names = archive.namelist()
        rows = list(csv.DictReader(io.StringIO(archive.read("report.csv").decode("utf-8-sig"))))
        listed = json.loads(archive.read("report.json"))
    assert len(set(map(str.casefold, names))) == len(names) == len(HOSTILE) + 2
    for name in names:
        assert PurePosixPath(name).name == PureWindowsPath(name).name == name
        assert not PureWindowsPath(name).is_reserved()
        assert not set('<>:"/\\|?*') & set(name) and name.isprintable() | ("\u202e" in name)
    assert [one["name"] for one in listed] == list(HOSTILE)
    for row in rows:
        for cell in row.values():
            assert not cell.lstrip().startswith(("=", "+", "-", "@"))


def test_hostile_names_of_uploads(server: Server, tmp_path: Path) -> None:
    """What a name may do to the server's disk: nothing but lie in the upload folder."""
    before = set(SAMPLES.parent.rglob("*"))
    content = square(tmp_path / "photo.png", QUICK).read_bytes()
    names = [
        "../../../owned.png",
        "..\\..\\owned.png",
        "/etc/owned.png",
        "C:\\owned.png",
        "a\0.png",
        "..",
        ".",
        "",
        "/",
        "a" * 300 + ".png",
        "nul.png",
        "~/owned.png",
        "a/../../b.png",
        "%2e%2e%2fowned.png",
        "\u202egnp.exe",
        "; rm -rf $(HOME).png",
    ]
    for name in names:
        quoted = name.replace("\\", "\\\\").replace('"', "%22").encode()
        body = b'--B\r\nContent-Disposition: form-data; name="files"; filename="' + quoted
        body += b'"\r\n\r\n' + content + b"\r\n--B--\r\n"
        answer = httpx.post(
            f"{server.url}/gradio_api/upload",
            content=body,
            headers={"Content-Type": "multipart/form-data; boundary=B"},
        )
        if answer.status_code == 200:
            for path in answer.json():
                assert Path(path).resolve().parent.parent == server.files.resolve(), name
        else:
            assert answer.status_code in (400, 500), name
    owned = server.files.parent.glob("**/*owned.png")
    assert {path.parents[1] for path in owned} == {server.files}
    assert before == set(SAMPLES.parent.rglob("*"))
