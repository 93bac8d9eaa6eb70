"""Plain HTTP, with curl and httpx, and its description."""

import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from PIL import Image
from playwright.sync_api import Browser, expect
from starlette.formparsers import MultiPartParser
from starlette.testclient import TestClient

import enhance.web.plain_http
from enhance.options import OLD_NAMES, OPTIONS
from enhance.web.http_contract import REPORT_HEADER
from enhance.web.plain_http import http_routes
from tests.server import ROOT, SAMPLES, Server, running
from tests.web.api_photos import IN_STEPS, QUICK, SLOW, WORK, results, square
from tests.web.test_shares import Visitor, sent

PHOTO = SAMPLES / "small_portrait.jpg"
CHEAP = {"restorer": "none", "background": "lanczos"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server behind a proxy, in whose queue a client has three places."""
    with running(
        tmp_path_factory.mktemp("http"),
        ENHANCE_TRUSTED_PROXY="1",
        ENHANCE_MAX_WAITING="12",
        ENHANCE_MAX_PHOTOS="15",
        ENHANCE_MAX_OUTPUT_PIXELS="1000000",
        ENHANCE_MAX_UPLOADS_PER_MINUTE="1000000",
    ) as server:
        yield server


def client(server: Server, number: int) -> httpx.Client:
    """One of several at addresses of their own."""
    headers = {"X-Forwarded-For": f"10.0.1.{number}"}
    return httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=120)


def one(photo: Path) -> list[tuple[str, Any]]:
    return [("photo", (photo.name, photo.read_bytes()))]


def many(*photos: Path) -> list[tuple[str, Any]]:
    return [("photos", (photo.name, photo.read_bytes())) for photo in photos]


def lines(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    return map(json.loads, answer.iter_lines())


# one photo


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "docs/http.md"])
def test_one_line_of_curl_is_the_whole_client(web: Server, tmp_path: Path, page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    line = "curl -F photo=@a.jpg http://127.0.0.1:7860/v1/enhance -o b.jpg"
    assert line in text[:4000]  # on the first screen
    square(tmp_path / "a.jpg", QUICK)
    command = line.replace("http://127.0.0.1:7860", web.url)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path, timeout=120)
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.size == (2 * QUICK, 2 * QUICK)


def test_the_answer_is_the_file_with_its_name_and_report(web: Server) -> None:
    http = client(web, 1)
    form = {"size": "3x", "format": "png", "only_restore_blurred": "false", "name": ""}
    answer = http.post("/enhance", files=one(PHOTO), data=form)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    named = 'attachment; filename="small_portrait_enhanced.png"'
    assert answer.headers["content-disposition"] == named
    said = answer.headers[REPORT_HEADER]
    report = json.loads(said)
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (510, 600) == tuple(report["output_size"])
    assert report["ok"] and report["restored"] == [0] and "faces" not in said
    asked = {"Accept": "application/json"}
    told = http.post("/enhance", files=one(PHOTO), data=form, headers=asked).json()
    assert told["name"] == PHOTO.name and len(told["faces"]) == 1
    assert told["file"].startswith(f"{web.url}/v1/batches/")
    again = http.get(told["file"])
    assert again.content == answer.content and again.headers["content-disposition"] == named
    for wrong in (f"{told['file']}1", f"{web.url}/v1/batches/x/0"):
        missing = http.get(wrong, headers={"Accept-Language": "zh"})
        assert missing.status_code == 404 and "过期" in missing.json()["detail"]


def test_the_size_is_taken_as_version_0_2_said_it(web: Server) -> None:
    http = client(web, 1)
    for form, side in (
        ({"upscale": "1.5", "longer_side": "0"}, 300),
        ({"longer_side": "120"}, 120),
    ):
        answer = http.post("/enhance", files=one(PHOTO), data=CHEAP | form)
        assert max(json.loads(answer.headers[REPORT_HEADER])["output_size"]) == side
    refused = http.post("/enhance", files=one(PHOTO), data={"upscale": "9"}).json()
    assert refused["kind"] == "OptionsError" and refused["detail"].endswith("not '9x'.")


def test_names_of_photos_are_only_names(web: Server) -> None:
    http, content = client(web, 1), PHOTO.read_bytes()
    for name in ("../../owned.jpg", "C:\\owned.jpg", "a\u202egpj.exe", "照片.jpg", '"\n.jpg'):
        answer = http.post("/enhance", files={"photo": (name, content)}, data=CHEAP)
        assert answer.status_code == 200, name
        told = answer.headers["content-disposition"]
        assert re.fullmatch(r"attachment; filename(=\"\w+\.jpg\"|\*=utf-8''[\w%.-]+)", told), name
        assert not {"/", "\\"} & set(json.loads(answer.headers[REPORT_HEADER])["name"])


@pytest.mark.parametrize(("codec", "status"), [("unicode_escape", 200), ("undefined", 400)])
def test_names_in_odd_codecs_are_no_faults(web: Server, codec: str, status: int) -> None:
    form = httpx.Request("POST", web.url, files={"photo": ("a\\ud800.jpg", PHOTO.read_bytes())})
    headers = {"Content-Type": f"{form.headers['content-type']}; charset={codec}"}
    headers |= {"Accept": "application/json"}
    answer = client(web, 1).post("/enhance", content=form.read(), headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json().get("name", "a?.jpg") == "a?.jpg"


@pytest.mark.parametrize(
    ("form", "status", "kind", "sentence"),
    [
        ({"tile": "9"}, 422, "OptionsError", "tile must be between 32 and 4096, not 9."),
        ({"tile": "x"}, 422, "OptionsError", "tile must be between 32 and 4096, not 'x'."),
        ({"only_restore_blurred": "maybe"}, 422, "OptionsError", "must be one of False, True"),
        ({"upscal": "2"}, 422, "", "There is no option “upscal”."),
        ({"restorer": "gfpgan-1.4"}, 422, "WeightsMissing", "are not on this machine"),
        ({"name": "x" * 20_000}, 400, "", "Part exceeded maximum size"),
    ],
)
def test_refusals_are_problem_details(
    web: Server, form: dict[str, str], status: int, kind: str, sentence: str
) -> None:
    answer = client(web, 2).post("/enhance", files=one(PHOTO), data=form)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["kind"] == kind
    assert sentence in problem["detail"]


def test_photos_that_cannot_be_used_are_problems_too(web: Server, corrupt: Path) -> None:
    http = client(web, 2)
    broken = http.post("/enhance", files=one(corrupt), headers={"Accept-Language": "zh"})
    assert broken.status_code == 422 and broken.json()["kind"] == "UnreadablePhoto"
    assert "corrupt.jpg" in broken.json()["detail"] and "damaged" not in broken.json()["detail"]
    for asked in ({"data": {"photo": "text"}}, {"json": {"photo": "x"}}, {"files": many(PHOTO)}):
        answer = http.post("/enhance", **asked)  # type: ignore[arg-type]
        assert answer.status_code == 422 and answer.json()["detail"], asked
    too_many = http.post("/batches", files=many(*[corrupt] * 16))
    assert too_many.status_code == 413 and too_many.json()["kind"] == "TooManyPhotos"
    handed = http.post("/photos", files=many(*[corrupt] * 16))
    assert handed.status_code == 413, "the page would refuse them"
    foreign = http.post("/enhance", files=one(PHOTO), headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert foreign.headers["content-type"] == "application/problem+json"


# batches


def test_each_line_comes_as_soon_as_its_photo_is_done(
    web: Server, tmp_path: Path, corrupt: Path
) -> None:
    photos = [square(tmp_path / f"line_{n}.png", edge) for n, edge in enumerate((QUICK, SLOW))]
    http = client(web, 3)
    with http.stream(
        "POST", "/batches", files=many(photos[0], corrupt, photos[1]), data=WORK
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/jsonl"
        told = lines(answer)
        first = next(told)
        assert not results(web, "line_1")  # the last one is not done
        failed, last = told
    assert [each["index"] for each in (first, failed, last)] == [0, 1, 2]
    assert first["ok"] and last["ok"] and not failed["ok"]
    assert "“corrupt.jpg” is damaged" in failed["reason"] and "file" not in failed
    for line, photo in ((first, "line_0"), (last, "line_1")):
        (path,) = results(web, photo)
        assert http.get(line["file"]).content == path.read_bytes()


def test_work_stops_when_its_client_goes(web: Server, tmp_path: Path) -> None:
    edges = {"gone_quick": QUICK, "gone_slow": SLOW, "gone_later": QUICK, "gone_alone": SLOW}
    *batch, alone = [square(tmp_path / f"{name}.png", edge) for name, edge in edges.items()]
    with client(web, 4).stream("POST", "/batches", files=many(*batch), data=IN_STEPS) as answer:
        next(lines(answer))
    impatient = client(web, 4)
    with pytest.raises(httpx.ReadTimeout):
        impatient.post(
            "/enhance", files=one(alone), data=IN_STEPS, timeout=httpx.Timeout(60, read=0.5)
        )
    impatient.close()
    other = square(tmp_path / "gone_other.png", QUICK)
    assert client(web, 5).post("/enhance", files=one(other), data=IN_STEPS).status_code == 200
    # Had the slow ones gone on, the other would have waited for them.
    assert [name for name in edges if results(web, name)] == ["gone_quick"]
    while httpx.get(f"{web.url}/health").json()["waiting"]:
        pass
    assert not list(web.files.glob("tmp*"))
    assert "Traceback" not in web.log.read_text()  # it is no error


def test_clients_take_turns(web: Server, tmp_path: Path) -> None:
    photos = [square(tmp_path / f"{k}.png", 2 * QUICK) for k in range(12)]
    with client(web, 6).stream("POST", "/batches", files=many(*photos), data=WORK) as answer:
        told = lines(answer)
        next(told)
        assert client(web, 7).post("/enhance", files=one(photos[0]), data=WORK).status_code == 200
        done = len(results(web, "11"))
    assert not done  # the single photo did not wait for the end of the batch


def test_all_ways_in_share_one_queue(web: Server, tmp_path: Path) -> None:
    """Of three places that a client has, two are at work; its fourth request finds none."""
    quick = square(tmp_path / "queue.png", QUICK)
    greedy, content = Visitor(web, "10.0.1.8"), [("photos", quick.read_bytes())] * 15
    (path,) = greedy.upload(quick).json()
    with ExitStack() as held:
        http = held.enter_context(client(web, 8))
        for _ in range(2):
            work = held.enter_context(http.stream("POST", "/batches", files=content, data=WORK))
            assert work.status_code == 200
        called = [greedy.call("enhance_batch", sent(*[path] * 15), **WORK) for _ in range(2)]
        assert [answer.status_code for answer in called] == [200, 429]
        refused = http.post("/enhance", files=one(quick), data=CHEAP)
        assert refused.status_code == 429
        assert "your share of the queue (3 waiting)" in refused.json()["detail"]
        assert client(web, 9).post("/enhance", files=one(quick), data=CHEAP).status_code == 200


# its description


def test_every_answer_is_described_and_no_other_is_given(web: Server, tmp_path: Path) -> None:
    """Not that all that the description allows is accepted: weights may be missing."""
    command = [
        *("st", "run", f"{web.url}/v1/openapi.json", "--phases=coverage,fuzzing"),
        *("--max-examples=40", "--max-time=60", "--seed=1", "--generation-deterministic"),
        *("--exclude-checks=positive_data_acceptance", "--warnings=off", "--no-color"),
    ]
    done = subprocess.run(
        [Path(sys.executable).with_name(command[0]), *command[1:]],
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.web.valid_photos", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout
    assert "Tested: 6" in done.stdout


def test_the_description_follows_from_the_options(web: Server) -> None:
    http = client(web, 1)
    schema = http.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    assert schema["servers"] == [{"url": web.url}]
    fields = schema["components"]["schemas"]["Photo"]["properties"]
    assert list(fields) == ["photo", *OPTIONS, *OLD_NAMES]
    assert all(fields[old]["deprecated"] for old in OLD_NAMES)
    for name, option in OPTIONS.items():
        assert fields[name]["description"] == option.description
        assert fields[name]["anyOf"] == [json.loads(json.dumps(option.schema)), {"const": ""}]
    listed = http.get("/options", headers={"Accept-Language": "zh"}).json()
    assert [each["name"] for each in listed] == list(OPTIONS)
    assert listed[0]["label"] != OPTIONS[listed[0]["name"]].label
    assert {each["name"] for each in http.get("/models").json()} >= {"bundled", "compact"}


def test_the_description_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes as long as twenty other answers."""
    made: list[object] = []

    def counted(**described: Any) -> dict[str, Any]:
        made.append(described)
        return get_openapi(**described)

    monkeypatch.setattr(enhance.web.plain_http, "get_openapi", counted)
    page: Any = None
    with TestClient(FastAPI(routes=http_routes(page, page))) as web:
        first, second = (web.get("/v1/openapi.json").json() for _ in range(2))
    assert first == second and len(made) == 1


def test_a_full_disk_is_a_problem_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    page: Any = None
    with TestClient(FastAPI(routes=http_routes(page, page))) as web:
        answer = web.post("/v1/enhance", files=one(PHOTO))
    assert answer.status_code == 507 and answer.json()["detail"].startswith("This server has no")


def test_the_page_about_it_asks_nobody_else(web: Server, browser: Browser) -> None:
    asked: list[str] = []
    with browser.new_context(extra_http_headers={"X-Forwarded-For": "10.0.1.9"}) as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{web.url}/v1/docs")
        page.locator("#operations-default-options_v1_options_get button").first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".responses-wrapper .live-responses-table")).to_contain_text("200")
    assert asked and all(url.startswith((web.url, "data:", "blob:")) for url in asked), asked


# the recipes

EXAMPLES = re.findall(
    r"^```(sh|python)\n(.*?)^```$", (ROOT / "docs/http.md").read_text("utf-8"), re.M | re.S
)


@pytest.mark.parametrize(
    ("language", "code"),
    [each for each in EXAMPLES if "cookies" not in each[1] and "IMMICH" not in each[1]],
)
def test_examples_run(web: Server, tmp_path: Path, language: str, code: str) -> None:
    for name in ("a", "c"):
        square(tmp_path / f"{name}.jpg", QUICK)
    command = ["sh", "-euc"] if language == "sh" else [sys.executable, "-c"]
    code = code.replace("http://127.0.0.1:7860", web.url)
    subprocess.run([*command, code], cwd=tmp_path, check=True, timeout=240)
    made = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {"a.jpg", "c.jpg"}
    assert made in ({"b.jpg"}, {"a.png", "c.png"})


class Immich(BaseHTTPRequestHandler):
    """A stand-in: it has one photo, and does what its own API is described to do."""

    assets: ClassVar[dict[str, dict[str, Any]]] = {}
    stacks: ClassVar[list[list[str]]] = []

    def answer(self, told: bytes) -> None:
        assert self.headers["x-api-key"] == "secret"
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def do_GET(self) -> None:
        _, _, kind, number, *original = self.path.split("/")
        assert kind == "assets"
        asset = self.assets[number]
        self.answer(PHOTO.read_bytes() if original else json.dumps(asset).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/stacks":
            asked = json.loads(body)["assetIds"]
            assert len(asked) >= 2 and all(each in self.assets for each in asked)
            self.stacks.append(asked)
            for each in asked:
                self.assets[each]["stack"] = {"id": "s", "primaryAssetId": asked[0]}
            self.answer(b"{}")
            return
        assert self.path == "/api/assets"
        for field in ("assetData", "deviceAssetId", "deviceId", "fileCreatedAt", "fileModifiedAt"):
            assert f'name="{field}"'.encode() in body
        (name,) = re.findall(rb'filename="([^"]+)"', body)
        self.assets["made"] = asset("made", name.decode())
        self.answer(b'{"id": "made", "status": "created"}')


def asset(number: str, name: str) -> dict[str, Any]:
    dates = dict.fromkeys(("fileCreatedAt", "fileModifiedAt"), "2020-01-01T00:00:00.000Z")
    return {"id": number, "originalFileName": name, "type": "IMAGE", "stack": None, **dates}


def test_the_recipe_for_immich_stacks_a_result_once(web: Server, tmp_path: Path) -> None:
    (code,) = (code for _, code in EXAMPLES if "IMMICH" in code)
    Immich.assets["photo"] = asset("photo", "family.heic")
    with ThreadingHTTPServer(("127.0.0.1", 0), Immich) as immich, socket.socket() as probe:
        threading.Thread(target=immich.serve_forever, daemon=True).start()
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        code = code.replace("http://127.0.0.1:7860", web.url).replace("8765", str(port))
        url = f"http://127.0.0.1:{immich.server_port}"
        environment = os.environ | {"IMMICH_URL": url, "IMMICH_KEY": "secret"}
        with subprocess.Popen([sys.executable, "-c", code], env=environment) as recipe:
            try:
                # It takes them one after another, so that each is done when the next is answered.
                for number in ("photo", "photo", "made", "made"):
                    event = {"type": "AssetV1", "data": {"asset": {"id": number}}}
                    answer = _patiently(f"http://127.0.0.1:{port}", event)
                    assert answer.status_code == 204
            finally:
                recipe.terminate()
                immich.shutdown()
    assert Immich.stacks == [["made", "photo"]]
    assert Immich.assets["made"]["originalFileName"] == "family_enhanced.jpg"


def _patiently(url: str, event: dict[str, Any]) -> httpx.Response:
    """Post as soon as somebody listens."""
    while True:
        try:
            return httpx.post(url, json=event, timeout=120)
        except httpx.ConnectError:
            time.sleep(0.1)
