"""What is finite is shared out: one client cannot take all of it."""

import os
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from anyio import move_on_after, to_thread
from anyio.from_thread import start_blocking_portal
from fastapi import Request
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import build_page
from enhance.engines.local import LocalEngine
from enhance.errors import NoRoom, OptionsError
from enhance.limits import Limits, quarter
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import load_enhancer
from enhance.records import Source
from enhance.web.batches.batch import Batch
from enhance.web.batches.disk_shares import Kept, Room, own_folder, superfluous
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore
from enhance.web.page.look import Tab
from enhance.web.server import middleware
from enhance.web.server.middleware import Guard
from enhance.web.server.routes import routes
from enhance.web.server.shared_queue import SharedQueue
from tests.server import SAMPLES, Server, running
from tests.web.api_photos import QUICK, results, square
from tests.web.hands import drop


def test_a_client_takes_its_share_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MAX_AT_ONCE", 2)
    monkeypatch.setattr(middleware, "SLOWED_SECONDS", 0)
    came, go_on = threading.Semaphore(0), threading.Event()

    async def wait(request: Request) -> PlainTextResponse:
        came.release()
        await to_thread.run_sync(go_on.wait, 60)
        return PlainTextResponse("served")

    guard = Middleware(Guard, limits=Limits(), behind_proxy=True)
    app = Starlette(routes=[Route("/", wait)], middleware=[guard])
    with TestClient(app) as web, ThreadPoolExecutor() as apart:

        def ask(address: str) -> Future[int]:
            headers = {"X-Forwarded-For": address}
            return apart.submit(lambda: web.get("/", headers=headers).status_code)

        first, second = ask("10.0.0.1"), ask("10.0.0.1")
        assert came.acquire(timeout=60) and came.acquire(timeout=60)
        third, fourth = ask("10.0.0.1").result(), ask("10.0.0.1").result()
        other = ask("10.0.0.2")
        assert came.acquire(timeout=60)
        go_on.set()
        assert (third, fourth) == (429, 429)
        assert [each.result() for each in (first, second, other)] == [200, 200, 200]
        assert ask("10.0.0.1").result() == 200


# the queue

CHEAP: dict[str, Any] = {"restorer": "none", "background": "lanczos"}


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
        flood = [greedy.call("enhance_batch", sent(*[long] * 150), **CHEAP) for _ in range(5)]
        page.click("#enhance")
        expect(page.locator(".toast-body")).to_contain_text("your share of the queue")
    assert [answer.status_code for answer in flood] == [200, 200, 200, 429, 429]
    assert "You already have your share of the queue (3 waiting)" in flood[3].json()["detail"]
    asked = other.call("enhance", sent(quick)[0], **CHEAP)
    assert "event: complete" in other.outcome(asked, "enhance")


def request_from(address: str) -> Request:
    return Request({"type": "http", "headers": [], "state": {"client": address}})


def test_what_runs_at_once_is_shared_too() -> None:
    """Of eight requests at once a client has two; those of others overtake its further ones."""
    with gr.Blocks() as page:
        gr.Button().click(lambda: None, concurrency_limit=8, concurrency_id="api")
    page.queue()
    page._queue = queue = SharedQueue(page, 64, "model", "api", 8)
    queue.active_jobs = [None] * 40

    def ask(address: str) -> Any:
        request = request_from(address)
        event = Event(None, page.fns[0], request, None)
        queue.create_event_queue_for_fn(page.fns[0])
        queue.event_queue_per_concurrency_id["api"].queue.append(event)
        return event

    def begin() -> Any:
        """What Gradio does next."""
        found = queue.get_events()
        if found is None:
            return None
        queue.active_jobs[queue.active_jobs.index(None)] = found[0]
        queue.event_queue_per_concurrency_id["api"].current_concurrency += 1
        return found[0][0]

    first, second, _third, others = (ask(f"10.0.0.{n}") for n in (1, 1, 1, 2))
    assert [begin() for _ in range(4)] == [first, second, others, None]


@pytest.fixture
def built(tmp_path: Path) -> Iterator[tuple[gr.Blocks, SharedQueue]]:
    """The page and its queue, without a server."""
    limits = Limits()
    with closing(LocalEngine(lambda: load_enhancer(Setup(), limits), limits)) as engine:
        yield build_page(BatchStore(engine, tmp_path / "files", limits), False)


def test_a_clients_photos_come_and_go_in_order(built: tuple[gr.Blocks, SharedQueue]) -> None:
    """Or the photo that is taken out would be the one that has just been added again."""
    page, _ = built
    wanted = [("files", "upload"), ("gallery", "delete"), ("enhance", "click")]
    changes = [
        fn
        for fn in page.fns.values()
        for target, event in fn.targets
        if target in page.blocks and (page.blocks[target].elem_id, event) in wanted
    ]
    assert len(changes) == len(wanted)
    ((_, most),) = {(fn.concurrency_id, fn.concurrency_limit) for fn in changes}
    assert isinstance(most, int) and quarter(most) == 1


def test_gradio_remembers_nothing_for_ever(built: tuple[gr.Blocks, SharedQueue]) -> None:
    page, queue = built
    (number,) = (number for number, fn in page.fns.items() if fn.api_name == "models")

    async def push(address: str) -> str:
        request = request_from(address)
        body = PredictBodyInternal(data=[], fn_index=number, request=request)
        _, event, _ = await queue.push(body, request, None)
        await queue.remove_from_queue(str(event))  # as if it were done and nobody asked for it
        return str(body.session_hash)

    async def many() -> str:
        others = await push("10.0.0.2")
        for _ in range(5000):
            await push("10.0.0.1")
        request = request_from("10.0.0.3")
        with move_on_after(0.01):  # the client of plain HTTP goes before its turn
            async with queue.turn(request):
                raise AssertionError("nobody serves this queue")
        return others

    with start_blocking_portal() as elsewhere:  # Playwright has a loop in this thread
        others = elsewhere.call(many)
    assert others in queue.pending_messages_per_session
    assert len(queue.pending_messages_per_session) <= 502
    assert len(queue.pending_event_ids_session) <= 502
    assert len(queue.event_analytics) == 1
    assert not queue._turns and not len(queue)


# the disk


def kept(client: str, kind: Any, idle: float, **files: int) -> Kept:
    numbered = {(0, int(name[1:])): size for name, size in files.items()}
    return Kept(Path(client), client, kind, idle, numbered)


def test_unused_uploads_go_first_and_nobody_elses_results() -> None:
    result = kept("ann", "finished", 5000, f1=300, f2=300)
    used = kept("ann", "upload", 5000, f1=300)
    junk = [kept("eve", "upload", 900 - n, **{f"f{10 + n}": 100}) for n in range(10)]
    fresh = kept("eve", "upload", 1, f30=100)
    goes, enough = superfluous([result, used, *junk, fresh], 1500, "bob", 0)
    assert goes == junk[:2] and enough


def test_what_would_not_help_stays() -> None:
    results = [kept("ann", "finished", n, **{f"f{n}": 100}) for n in range(4)]
    working = kept("ann", "working", 0, f9=900)
    assert superfluous([*results, working], 4000, "ann", 200) == ([], False)
    goes, enough = superfluous([*results, working], 4000, "ann", 50)
    assert enough and goes == results[::-1]


def test_a_batch_goes_with_the_uploads_that_only_it_used() -> None:
    batch, upload = kept("ann", "finished", 90, f1=600, f2=1), kept("ann", "upload", 90, f1=600)
    goes, enough = superfluous([batch, upload], 2400, "ann", 500)
    assert goes == [batch, upload] and enough


def test_bytes_that_are_coming_count() -> None:
    room = Room(4000, lambda: [], lambda _: None)
    uploads = [room.expect("ann", 500), room.expect("ann", 500)]
    with pytest.raises(NoRoom, match="your share of this server's disk"):
        room.expect("ann", 1)
    room.take("bob", 1000)
    for upload in uploads:
        room.arrived(upload)
    room.tidy()
    room.take("ann", 1000)


def test_one_clients_uploads_take_nothing_from_others(tmp_path: Path) -> None:
    limits = {"ENHANCE_MAX_DISK_BYTES": "2000000", "ENHANCE_TRUSTED_PROXY": "1"}
    with running(tmp_path, **limits) as server:
        ann, eve = Visitor(server, "10.0.0.1"), Visitor(server, "10.0.0.2")
        (path,) = ann.upload(square(tmp_path / "photo.jpg", QUICK)).json()
        asked = ann.call("enhance", sent(path)[0], **CHEAP)
        done = ann.outcome(asked, "enhance")
        (result,) = results(server, "photo")
        assert "event: complete" in done
        junk = tmp_path / "junk.jpg"
        statuses = []
        for number in range(12):
            junk.write_bytes(bytes([number]) * 100_000)
            answer = eve.upload(junk)
            statuses.append(answer.status_code)
        assert statuses[0] == 200 and statuses[-1] == 507
        assert "your share of this server's disk" in answer.json()["detail"]
        assert ann.upload(square(tmp_path / "again.jpg", QUICK + 1)).status_code == 200
        assert result.exists()
        assert len(list(server.files.glob("*/junk.jpg"))) <= 5


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    assert stat.S_IMODE(own_folder(tmp_path / "mine").stat().st_mode) == 0o700
    (tmp_path / "everyones").mkdir()
    (tmp_path / "everyones").chmod(0o777)
    with pytest.raises(OptionsError, match="others may write to it"):
        own_folder(tmp_path / "everyones")
    if os.getuid() == 0:
        (tmp_path / "theirs").mkdir(mode=0o700)
        os.chown(tmp_path / "theirs", 12345, 12345)
        with pytest.raises(OptionsError, match="belongs to another user"):
            own_folder(tmp_path / "theirs")
    with (
        pytest.raises(RuntimeError, match="Set GRADIO_TEMP_DIR to a folder"),
        running(tmp_path, GRADIO_TEMP_DIR=str(tmp_path / "everyones")),
    ):
        pass


# previews


def test_previews_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many one client asks for, another waits for at most one of them."""
    made: list[str] = []
    go_on = threading.Semaphore(0)

    def slow(entry: Entry, limits: Limits) -> Path:
        go_on.acquire(timeout=60)
        made.append(entry.source.name)
        return SAMPLES / "group.jpg"

    monkeypatch.setattr(Entry, "previewed", slow)
    limits = Limits()
    with closing(LocalEngine(lambda: load_enhancer(Setup(device="cpu"), limits), limits)) as engine:
        batches = BatchStore(engine, tmp_path / "files", limits)
        photo = square(tmp_path / "photo.jpg", QUICK)
        mine, yours = (
            batches.start([Source(photo, name)] * 6, Options(**CHEAP), name)
            for name in ("mine", "yours")
        )
        app = Starlette(routes=routes(batches), middleware=[Middleware(Guard, limits=limits)])
        asked: list[threading.Thread] = []
        with TestClient(app, client=("10.0.0.1", 1)) as me:
            you = TestClient(app, client=("10.0.0.2", 1))
            you.portal = me.portal  # one event loop, as in a server

            def ask(client: TestClient, batch: Any, number: int) -> None:
                url = f"/batches/{batch.key}/photos/{number}"
                asked.append(threading.Thread(target=client.get, args=[url]))
                asked[-1].start()

            for number in range(1, 7):
                ask(me, mine, number)
            time.sleep(0.5)  # until all wait
            ask(you, yours, 1)
            time.sleep(0.5)
            go_on.release(7)
            for thread in asked:
                thread.join(60)
    assert made.index("yours") <= 2


# batches of the page


def test_nobody_makes_other_peoples_tabs_forget(tmp_path: Path) -> None:
    limits = Limits()
    with closing(LocalEngine(lambda: load_enhancer(Setup(device="cpu"), limits), limits)) as engine:
        batches = BatchStore(engine, tmp_path / "files", limits)
        photo = Source.of(SAMPLES / "small_portrait.jpg")
        mine, theirs = (batches.start([photo], None, name, viewed=True) for name in "ab")

        def tab(batch: Batch, session: str) -> Tab:
            request: Any = SimpleNamespace(session_hash=session, headers={})
            return Tab.of(batches, batch.key, request)

        tab(mine, "me").compare(None, 3)
        for number in range(10_001):
            tab(theirs, str(number))
        assert tab(mine, "me").picks == {0: 3}


def test_no_photos_make_no_batch(server: Server) -> None:
    api = f"{server.url}/gradio_api/queue"
    config = httpx.get(f"{server.url}/config").json()
    (files,) = (
        block["id"] for block in config["components"] if block["props"].get("elem_id") == "files"
    )
    (add,) = (call["id"] for call in config["dependencies"] if [files, "upload"] in call["targets"])
    before = {*server.files.glob("results-*/*")}
    nothings: list[Any] = [None, []]
    for number, nothing in enumerate(nothings):
        session = f"empty-{number}"
        call = {"data": ["", nothing], "fn_index": add, "session_hash": session}
        httpx.post(f"{api}/join", json=call).raise_for_status()
        with httpx.stream("GET", f"{api}/data?session_hash={session}", timeout=120) as events:
            said = next(line for line in events.iter_lines() if "process_completed" in line)
        assert '"success":true' in said
    assert {*server.files.glob("results-*/*")} <= before
