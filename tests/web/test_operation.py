"""What an operator asks of a server: its health, its numbers, its log."""

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

import enhance
from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Setup
from enhance.pipeline.enhancer import load_enhancer
from enhance.web.batches.store import BatchStore
from enhance.web.gradio_api import Api
from enhance.web.log import Private, about
from enhance.web.page.settings import draw_options
from enhance.web.server.routes import routes
from tests.server import ROOT, SAMPLES, Server, running

TICKET = "ticket-4711"


@pytest.fixture(scope="module")
def logging_json(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has enhanced one photo of two, which were sent by a proxy."""
    folder = tmp_path_factory.mktemp("operation")
    broken = folder / "Ann Secret.jpg"
    broken.write_bytes((SAMPLES / "group.jpg").read_bytes()[:500])
    settings = {"ENHANCE_LOG_FORMAT": "json", "ENHANCE_TRUSTED_PROXY": "1"}
    with running(folder, **settings) as server:
        client = Client(server.url, headers={"x-request-id": TICKET}, verbose=False)
        photos = [handle_file(SAMPLES / "small_portrait.jpg"), handle_file(broken)]
        list(client.submit(photos, size="2x", restorer="none", api_name="/enhance_batch"))
        yield server


def numbers(server: Server) -> dict[str, float]:
    """What the server counts, by name and labels."""
    answer = httpx.get(f"{server.url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_count_photos_failures_stages_and_waiting(logging_json: Server) -> None:
    counted = numbers(logging_json)
    assert counted["enhance_photos_total"] == 1
    assert counted["enhance_failures_total/UnreadablePhoto"] == 1
    for stage in ("decode", "upscale", "encode"):
        assert counted[f"enhance_stage_seconds_count/{stage}"] == 1
        assert counted[f"enhance_stage_seconds_sum/{stage}"] > 0
    assert counted["enhance_wait_seconds_count"] == 1
    assert counted["enhance_ready"] == 1
    assert counted["enhance_waiting_photos"] == counted["enhance_waiting_batches"] == 0
    assert counted["process_resident_memory_bytes"] > 1e8


def test_metrics_tell_how_much_disk_is_in_use(logging_json: Server) -> None:
    client = Client(logging_json.url, verbose=False)
    photo = handle_file(SAMPLES / "group.jpg")
    for _ in range(2):
        client.predict(photo, restorer="none", background="lanczos", api_name="/enhance")
    assert numbers(logging_json)["enhance_files_bytes"] > (SAMPLES / "group.jpg").stat().st_size


def test_the_table_of_metrics_has_all(logging_json: Server) -> None:
    table = (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(enhance_\w+)`[,|\s]", table))
    families = text_string_to_metric_families(httpx.get(f"{logging_json.url}/metrics").text)
    counted = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in families
    }
    assert named == {name for name in counted if name.startswith("enhance_")}


def test_the_log_tells_of_requests_and_not_of_what_they_sent(logging_json: Server) -> None:
    written = logging_json.log.read_text().splitlines()
    # The address is for people, on standard output.
    lines = [json.loads(line) for line in written if line and not line.startswith("* ")]
    assert all({"time", "level", "logger", "request", "message"} <= set(line) for line in lines)
    assert "httpx" not in {line["logger"] for line in lines}, "requests of the server's own"
    (failed,) = (line for line in lines if "photo 1 failed" in line["message"])
    assert failed["request"] == TICKET
    (decoding,) = (line for line in lines if line["logger"] == "enhance.photos.decoding")
    assert decoding["request"] == TICKET, "lost on the way to the thread that decodes"
    assert "Secret" not in logging_json.log.read_text()


def test_an_unexpected_error_is_logged_without_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    private, name = Private(tmp_path), "".join(["An", "n's.jpg"])  # not whole in a traceback's code
    caplog.handler.addFilter(private)
    try:
        (tmp_path / name).read_bytes()
    except OSError:
        logging.getLogger("test").exception("“%s” and more", name)
    caplog.handler.removeFilter(private)
    assert "Ann" not in caplog.text
    assert "FileNotFoundError" in caplog.text and "and more" in caplog.text


@pytest.mark.parametrize("name", ["““Oma” 1950 Diagnose.jpg", "a” b.jpg", "”.jpg", "a\nb.jpg"])
def test_quotes_in_a_name_do_not_end_it(tmp_path: Path, name: str) -> None:
    said = Private(tmp_path).clean(f"first: “{name}” is damaged.\n“{name}” is not. It is kept")
    assert said == "first: … is damaged.\n| … is not. It is kept"


def test_what_is_printed_is_cleaned_on_both_streams(tmp_path: Path) -> None:
    code = """if True:
        import pathlib, sys
        from enhance.web.log import start_log
        start_log("text", pathlib.Path("/files"))
        for stream in (sys.stdout, sys.stderr):
            print("id=x\\n2026 ERROR forged\\x1b[31m /files/private.jpg", file=stream)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == done.stderr == "id=x\n| 2026 ERROR forged\\x1b[31m …\n"


def test_what_is_long_is_cut_in_the_log(tmp_path: Path) -> None:
    text = Private(tmp_path).clean("a" * 10_000 + "b" * 10_000)
    assert text.startswith("aaa") and text.endswith("bbb") and len(text) < 9000


def test_nobody_writes_lines_of_the_log(tmp_path: Path) -> None:
    private, line = Private(tmp_path), "2026-01-01 00:00:00,000 ERROR enhance [-] forged"
    text = private.clean(f"ValueError: a\n{line}\r{line}\u2028{line} \x1b[31mred\n")
    assert text.count("\n") == 2 and text.endswith("\n")
    assert f"\n| {line}\\x0d" in text and "\\x2028" in text and "\\x1b[31mred" in text
    refused = f"InvalidPathError: Cannot move /home/ann\n{line} to the gradio cache dir because"
    assert private.clean(refused) == "InvalidPathError: … because"


def test_metrics_are_the_same_whatever_is_accepted(logging_json: Server) -> None:
    for accepted in ("text/plain; version=abc", "application/openmetrics-text; version=1.0.0"):
        answer = httpx.get(f"{logging_json.url}/metrics", headers={"Accept": accepted})
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_the_log_bears_a_request_only_while_an_item_is_made(tmp_path: Path) -> None:
    seen = []

    def note() -> str:
        record = logging.LogRecord("", 0, "", 0, "", None, None)
        Private(tmp_path).filter(record)
        seen.append(record.request)  # type: ignore[attr-defined]
        return ""

    for _ in about("7", (note() for _ in range(2))):
        note()
    assert seen == ["7", "-", "7", "-"]


def test_requests_are_numbered_by_the_server_unless_a_proxy_does(
    server: Server, logging_json: Server
) -> None:
    def number(of: Server, given: str) -> str:
        return httpx.get(f"{of.url}/health", headers={"x-request-id": given}).headers[
            "x-request-id"
        ]

    assert number(logging_json, TICKET) == TICKET
    assert number(server, TICKET) != TICKET
    assert len(number(logging_json, "a b")) == len(number(server, "")) == 32
    assert number(server, "") != number(server, "")


def test_health_tells_when_the_models_are_loaded(tmp_path: Path) -> None:
    may_load = threading.Event()

    def load() -> Any:
        may_load.wait()
        return load_enhancer(Setup(device="cpu", precision="fp32"), Limits())

    engine = LocalEngine(load, Limits())
    batches = BatchStore(engine, tmp_path, Limits())
    with gr.Blocks():
        api = Api(batches, draw_options()[0])
    web = TestClient(Starlette(routes=routes(batches)))
    loading = threading.Thread(target=engine.load)
    loading.start()
    before = web.get("/health"), web.get("/health/ready")
    may_load.set()
    loading.join()
    after = web.get("/health"), web.get("/health/ready")
    asked = api.health()
    engine.close()
    assert [answer.status_code for answer in (*before, *after)] == [200, 503, 200, 200]
    state = before[0].json()
    assert (state["status"], state["ready"], state["device"]) == ("loading", False, None)
    expected = {
        "status": "ok",
        "ready": True,
        "model": "bundled",
        "device": "cpu",
        "precision": "fp32",
        "waiting": 0,
        "version": enhance.__version__,
    }
    assert after[0].json() == after[1].json() == asked == expected


def test_the_state_is_told_without_a_login(tmp_path: Path) -> None:
    with running(tmp_path, ENHANCE_AUTH="ann:secret") as server:
        assert httpx.get(f"{server.url}/health").status_code == 200
        assert httpx.get(f"{server.url}/metrics").status_code == 200
        assert httpx.get(f"{server.url}/config").status_code == 401
