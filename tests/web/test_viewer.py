"""The viewer alone, in a small app of its own and a real browser, over real photos."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Route,
    expect,
)

from enhance.web.page.viewer import WORDS, Label, Outline, View, viewer_widget
from tests.server import SAMPLES

HOSTILE = """<img src=x onerror="document.title='markup'">'${console.error('ran')}`{{name}}.jpg"""
VERSIONS = (("a", "Version 1"), ("b", "Version 2"))


@dataclass
class App:
    """What the widget sent, and the values it gets for it."""

    views: list[View]
    url: str = ""
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    now: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def select(self, event: gr.EventData) -> dict[str, Any]:
        self.events.append(("select", dict(event._data)))
        self.now = event.index
        return asdict(self.views[self.now])

    def edit(self, event: gr.EventData) -> dict[str, Any]:
        """A face was switched: the full picture with or without that face."""
        self.events.append(("edit", dict(event._data)))
        old = self.views[self.now]
        faces = list(old.faces)
        faces[event.face] = replace(faces[event.face], on=event.on)
        changed = replace(old, after=f"{old.after}&edited", faces=tuple(faces))
        self.views[self.now] = changed
        return asdict(changed)

    def apply(self, event: gr.EventData) -> dict[str, Any]:
        """A label was switched, which takes as long as the test wants: busy first, done then."""
        self.events.append(("apply", dict(event._data)))
        old = self.views[self.now]
        if self.done.is_set():
            done = (replace(old.labels[0], text="Repair damage", on=event.on), *old.labels[1:])
            self.views[self.now] = replace(old, labels=done)
            return asdict(self.views[self.now])
        return asdict(replace(old, busy=True))

    def compare(self, event: gr.EventData) -> dict[str, Any]:
        self.events.append(("input", dict(event._data)))
        return asdict(replace(self.views[self.now], left=event.left, right=event.right))


def enlarged(source: Path, folder: Path, times: int) -> tuple[Path, int, int]:
    pixels = cv2.imread(str(source))
    assert pixels is not None
    result = cv2.resize(pixels, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    path = folder / f"{source.stem}_enhanced.png"
    cv2.imwrite(str(path), result)
    return path, result.shape[1], result.shape[0]


def photos(folder: Path) -> list[View]:
    def one(index: int, stem: str, times: int, **settings: Any) -> View:
        source = SAMPLES / f"{stem}.jpg"
        after, width, height = enlarged(source, folder, times)
        return View(
            name=settings.pop("name", source.name),
            caption=f"×{times} · {width} × {height}",
            index=index,
            count=3,
            before=f"gradio_api/file={source}?",
            after=f"gradio_api/file={after}?",
            width=width,
            height=height,
            download=f"gradio_api/file={after}",
            **settings,
        )

    faces = (
        Outline((0.10, 0.15, 0.25, 0.40), "Face 1"),
        Outline((0.40, 0.20, 0.55, 0.45), "Face 2", on=False),
        Outline((0.70, 0.20, 0.72, 0.23), HOSTILE, can=False),
    )
    labels = (Label("repair", "Damage repaired", True), Label("tone", HOSTILE, False))
    return [
        one(0, "group", 4, faces=faces, labels=labels),
        one(1, "old_print", 3, choices=VERSIONS, right="b"),
        one(2, "small_portrait", 4, name=HOSTILE),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def views(folder: Path) -> list[View]:
    return photos(folder)


@pytest.fixture
def app(folder: Path, views: list[View]) -> Iterator[App]:
    app = App(list(views))
    with gr.Blocks(analytics_enabled=False) as demo:
        widget = viewer_widget()
        start = gr.Button("Start", elem_id="start")
        clear = gr.Button("Clear", elem_id="clear")
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        start.click(lambda: asdict(app.views[0]), None, widget, **quick)
        clear.click(lambda: {}, None, widget, **quick)
        widget.select(app.select, None, widget, trigger_mode="always_last", **quick)
        widget.edit(app.edit, None, widget, trigger_mode="multiple", **quick)
        widget.apply(app.apply, None, widget, trigger_mode="multiple", **quick)
        widget.input(app.compare, None, widget, trigger_mode="always_last", **quick)
    _, app.url, _ = demo.launch(
        prevent_thread_lock=True,
        quiet=True,
        allowed_paths=[str(SAMPLES), str(folder)],
        server_name="127.0.0.1",
    )
    yield app
    demo.close()


@dataclass
class Viewer:
    """The widget as a person meets it."""

    page: Page

    def at(self, selector: str) -> Locator:
        return self.page.locator(f"#viewer {selector}")

    def drawn(self) -> None:
        """Wait until what has happened so far is drawn."""
        self.page.evaluate("() => new Promise(requestAnimationFrame)")

    def box(self, selector: str) -> dict[str, float]:
        self.drawn()
        found = self.at(selector).bounding_box()
        assert found is not None
        return {
            "x": found["x"],
            "y": found["y"],
            "width": found["width"],
            "height": found["height"],
        }

    def middle(self, selector: str) -> tuple[float, float]:
        box = self.box(selector)
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, start: tuple[float, float], by: tuple[float, float]) -> None:
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(start[0] + by[0], start[1] + by[1], steps=4)
        self.page.mouse.up()

    @property
    def split(self) -> int:
        self.drawn()
        return int(self.at(".divider").get_attribute("aria-valuenow") or -1)

    @property
    def clipped(self) -> float:
        """What the picture before hides of its right side, in pixels."""
        self.drawn()
        path = self.at("img.before").evaluate("image => image.style.clipPath")
        return float(re.findall(r"([\d.]+)px", path)[1])

    def start(self) -> None:
        self.page.click("#start")
        expect(self.at("img.after")).to_be_visible()


Open = Callable[..., Viewer]


@pytest.fixture
def open_viewer(browser: Browser, app: App) -> Iterator[Open]:
    """A function that opens the app in a new context; what goes wrong there fails the test."""
    wrong: list[str] = []
    contexts: list[BrowserContext] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith((app.url, "data:", "blob:")):
            wrong.append(request.url)

    def launch(**settings: Any) -> Viewer:
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", hear)
        page.on("request", watch)
        page.goto(app.url)
        page.wait_for_selector("#viewer .viewer")
        return Viewer(page)

    yield launch
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def viewer(open_viewer: Open) -> Viewer:
    return open_viewer(viewport={"width": 1280, "height": 900})


def test_without_a_photo_it_says_what_will_be_there(viewer: Viewer) -> None:
    expect(viewer.at(".empty")).to_have_text(WORDS["empty"])
    expect(viewer.at(".stage")).to_be_hidden()
    viewer.start()
    expect(viewer.at(".empty")).to_be_hidden()
    viewer.page.click("#clear")
    expect(viewer.at(".empty")).to_have_text(WORDS["empty"])
    expect(viewer.at(".bar")).to_be_hidden()


def test_both_pictures_have_the_same_place_and_the_line_divides_them(viewer: Viewer) -> None:
    viewer.start()
    before, after = viewer.box("img.before"), viewer.box("img.after")
    assert before == after
    x, y = viewer.middle(".picture")
    viewer.drag((x, y), (after["width"] / 4, 0))
    assert viewer.split == 75
    assert viewer.clipped == pytest.approx(after["width"] / 4, abs=1.5)
    viewer.drag(viewer.middle(".knob"), (-2000, 0))
    assert viewer.split == 0
    assert viewer.clipped == pytest.approx(after["width"], abs=1.5)
    expect(viewer.at(".tag.left")).to_have_class(re.compile("gone"))
    viewer.page.mouse.click(x, y)  # without moving
    assert viewer.split == 0


def test_the_line_does_not_jump_to_where_it_is_taken(viewer: Viewer) -> None:
    viewer.start()
    x, y = viewer.middle(".knob")
    viewer.drag((x + 15, y), (1, 0))
    assert viewer.split == 50
    viewer.drag((x + 15, y), (viewer.box("img.after")["width"] / 4, 0))
    assert viewer.split == 75


def test_the_line_follows_the_pointer_without_reading_sizes(viewer: Viewer) -> None:
    """The browser would have to lay out the page for every event."""
    viewer.start()
    x, y = viewer.middle(".knob")
    viewer.page.evaluate(
        """() => {
          window.reads = 0;
          for (const [owner, name] of [
            [HTMLElement.prototype, "offsetWidth"], [Element.prototype, "clientWidth"],
          ]) {
            const { get } = Object.getOwnPropertyDescriptor(owner, name);
            const read = function () { window.reads++; return get.call(this); };
            Object.defineProperty(owner, name, { get: read });
          }
        }"""
    )
    viewer.drag((x, y), (-120, 0))
    assert viewer.split < 50
    assert viewer.page.evaluate("window.reads") == 0


def test_labels_are_switches_by_mouse_and_key(app: App, viewer: Viewer) -> None:
    viewer.start()
    repair, tone = viewer.at('[data-step="repair"]'), viewer.at('[data-step="tone"]')
    expect(repair).to_have_text("Damage repaired")
    expect(repair).to_have_attribute("aria-pressed", "true")
    expect(tone).to_have_text(HOSTILE)
    expect(tone).to_have_attribute("aria-pressed", "false")
    expect(viewer.at(".all")).to_be_hidden()
    repair.focus()
    repair.press("Enter")
    expect(repair).to_have_attribute("aria-disabled", "true")
    expect(repair).to_have_attribute("aria-pressed", "false")  # as wished
    expect(tone).to_have_attribute("aria-pressed", "false")
    tone.click(force=True)  # while the photo is enhanced again
    app.done.set()
    viewer.at(".all").click()
    expect(viewer.at(".all")).to_be_hidden()
    expect(repair).to_have_text("Repair damage")
    expect(repair).to_have_attribute("aria-pressed", "false")
    expect(repair).to_have_attribute("aria-disabled", "false")
    expect(repair).to_be_focused()
    sent = {"index": 0, "step": "repair", "on": False}
    assert app.events == [("apply", sent | {"all": False}), ("apply", sent | {"all": True})]
    viewer.at(".next").click()
    expect(viewer.at(".labels")).to_be_hidden()


def test_keys_on_the_handle_move_the_line_and_not_the_photos(app: App, viewer: Viewer) -> None:
    viewer.start()
    handle = viewer.at(".divider")
    expect(handle).to_have_attribute("aria-label", WORDS["split"])
    handle.focus()
    handle.press("ArrowRight")
    assert viewer.split == 52
    handle.press("ArrowLeft")
    handle.press("ArrowLeft")
    assert viewer.split == 48
    handle.press("End")
    assert viewer.split == 100
    handle.press("Home")
    assert viewer.split == 0
    assert app.events == []


def test_100_percent_shows_a_pixel_as_a_pixel(app: App, viewer: Viewer) -> None:
    viewer.start()
    photo = app.views[0]
    fit = viewer.box("img.after")
    assert fit["width"] < photo.width
    assert fit["width"] / fit["height"] == pytest.approx(photo.width / photo.height, rel=0.005)
    viewer.at(".actual").click()
    for side in ("before", "after"):
        box = viewer.box(f"img.{side}")
        assert (box["width"], box["height"]) == (photo.width, photo.height)
    expect(viewer.at(".percent")).to_have_text("100%")
    left, top, right, bottom = photo.faces[0].box  # it goes to the first face
    stage = viewer.middle(".stage")
    assert stage[0] == pytest.approx(box["x"] + (left + right) / 2 * photo.width, abs=1)
    assert stage[1] == pytest.approx(box["y"] + (top + bottom) / 2 * photo.height, abs=1)
    natural = viewer.at("img.after").evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert natural == [photo.width, photo.height]
    viewer.at(".fit").click()
    assert viewer.box("img.after") == fit


def test_zoom_keeps_the_point_under_the_pointer_and_a_drag_pans(viewer: Viewer) -> None:
    viewer.start()
    stage, fit = viewer.box(".stage"), viewer.box("img.after")
    x, y = fit["x"] + fit["width"] * 0.4, fit["y"] + fit["height"] * 0.4
    viewer.page.mouse.dblclick(x, y)
    zoomed = viewer.box("img.after")
    assert (x - zoomed["x"]) / zoomed["width"] == pytest.approx(0.4, abs=0.002)
    assert (y - zoomed["y"]) / zoomed["height"] == pytest.approx(0.4, abs=0.002)

    viewer.drag((x, y), (60, 40))
    panned = viewer.box("img.after")
    assert (panned["x"] - zoomed["x"], panned["y"] - zoomed["y"]) == pytest.approx((60, 40), abs=1)
    assert viewer.split == 50
    for _ in range(4):  # no further than the picture's corner
        viewer.drag((stage["x"] + 40, stage["y"] + 40), (stage["width"] - 80, stage["height"] - 80))
    panned = viewer.box("img.after")
    assert (panned["x"], panned["y"]) == pytest.approx((stage["x"], stage["y"]), abs=1)
    viewer.drag(viewer.middle(".knob"), (-stage["width"] / 4, 0))
    assert viewer.split == 25
    assert viewer.box("img.after") == panned

    viewer.page.mouse.move(x, y)
    viewer.page.mouse.wheel(0, 120)  # the page's own
    assert viewer.box("img.after")["width"] == panned["width"]
    viewer.page.keyboard.down("Control")
    viewer.page.mouse.wheel(0, -60)
    viewer.page.keyboard.up("Control")
    expect(viewer.at(".percent")).to_have_text("149%")
    viewer.page.mouse.dblclick(x, y)
    assert viewer.box("img.after") == fit


def test_two_fingers_zoom_and_one_drags_the_line(open_viewer: Open) -> None:
    viewer = open_viewer(viewport={"width": 390, "height": 844}, has_touch=True)
    viewer.start()
    fit = viewer.box("img.after")
    x, y = viewer.middle(".stage")
    session = viewer.page.context.new_cdp_session(viewer.page)

    def touch(kind: str, *spots: tuple[float, float]) -> None:
        points = [{"x": a, "y": b, "id": i} for i, (a, b) in enumerate(spots)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x, y))
    for step in (10, 20, 40):
        touch("touchMove", (x + step, y))
    touch("touchEnd")
    expect(viewer.at(".divider")).to_have_attribute(
        "aria-valuenow", str(round(100 * (x + 40 - fit["x"]) / fit["width"]))
    )
    touch("touchStart", (x - 30, y), (x + 30, y))
    for reach in (40, 50, 60):
        touch("touchMove", (x - reach, y), (x + reach, y))
    touch("touchEnd")
    zoomed = viewer.box("img.after")
    assert zoomed["width"] == pytest.approx(2 * fit["width"], rel=0.02)
    assert (x - zoomed["x"]) / zoomed["width"] == pytest.approx(0.5, abs=0.02)


def test_zoom_and_line_survive_a_new_picture_of_the_same_photo(app: App, viewer: Viewer) -> None:
    viewer.start()
    viewer.drag(viewer.middle(".knob"), (50, 0))
    viewer.at(".outlines").click()
    viewer.at(".actual").click()
    viewer.drag((viewer.middle(".stage")[0] + 99, viewer.middle(".stage")[1] + 99), (-70, -50))
    seen, split = viewer.box("img.after"), viewer.split
    viewer.at(".face").nth(0).focus()
    viewer.page.keyboard.press("Enter")
    expect(viewer.at("img.after")).to_have_attribute("src", re.compile("&edited$"))
    expect(viewer.at("img.after")).to_have_count(1)
    assert viewer.box("img.after") == seen
    assert viewer.split == split
    expect(viewer.at(".face").nth(0)).to_be_focused()

    viewer.at(".next").click()  # another photo: all of it, the line where it was
    expect(viewer.at(".name")).to_have_text("old_print.jpg")
    expect(viewer.at(".fit")).to_have_attribute("aria-pressed", "true")
    assert viewer.split == split
    viewer.at(".previous").click()
    expect(viewer.at(".faces")).to_be_visible()


def test_a_slow_picture_leaves_the_old_one_and_cannot_overtake(app: App, viewer: Viewer) -> None:
    viewer.start()
    held: list[Route] = []
    viewer.page.route(re.compile("old_print_enhanced"), lambda route: held.append(route))
    viewer.at(".next").click()
    expect(viewer.at(".loading")).to_have_css("opacity", "1")
    expect(viewer.at(".name")).to_have_text("group.jpg")
    expect(viewer.at("img.after")).to_have_attribute("src", app.views[0].after)
    viewer.at(".next").click()
    expect(viewer.at(".name")).to_have_text(HOSTILE)
    for route in held:
        route.continue_()
    viewer.page.wait_for_timeout(500)
    expect(viewer.at(".name")).to_have_text(HOSTILE)
    assert [data["index"] for _, data in app.events] == [1, 2]


def test_a_picture_that_cannot_be_loaded_is_said_so(app: App, open_viewer: Open) -> None:
    app.views[0] = replace(app.views[0], after="data:image/png;base64,AAAA")
    viewer = open_viewer()
    viewer.page.click("#start")
    expect(viewer.at(".failed")).to_have_text(WORDS["failed"])
    viewer.at(".next").click()
    expect(viewer.at(".failed")).to_be_hidden()
    expect(viewer.at("img.after")).to_be_visible()


def test_faces_are_outlined_and_switched(app: App, viewer: Viewer) -> None:
    viewer.start()
    expect(viewer.at(".faces")).to_be_hidden()
    viewer.at(".outlines").click()
    face = viewer.at(".face")
    expect(face).to_have_count(3)
    picture, outline = viewer.box(".picture"), viewer.box(".face >> nth=0")
    left, top, right, bottom = app.views[0].faces[0].box
    assert outline == pytest.approx(
        {
            "x": picture["x"] + left * picture["width"],
            "y": picture["y"] + top * picture["height"],
            "width": (right - left) * picture["width"],
            "height": (bottom - top) * picture["height"],
        },
        abs=1,
    )
    expect(face.nth(1)).to_have_attribute("aria-pressed", "false")
    expect(face.nth(1)).to_have_css("border-top-style", "dashed")
    face.nth(1).click()
    expect(face.nth(1)).to_have_attribute("aria-pressed", "true")
    face.nth(0).click()
    expect(face.nth(0)).to_have_attribute("aria-pressed", "false")
    face.nth(2).click(force=True)
    assert WORDS["face_fixed"] in str(face.nth(2).get_attribute("title"))
    assert app.events == [
        ("edit", {"index": 0, "face": 1, "on": True}),
        ("edit", {"index": 0, "face": 0, "on": False}),
    ]

    x, y = viewer.middle(".face >> nth=0")
    viewer.drag((x, y), (30, 0))  # on a face, but a drag
    assert viewer.split != 50
    viewer.page.keyboard.press("f")
    expect(viewer.at(".faces")).to_be_hidden()
    assert len(app.events) == 2


def test_photos_follow_buttons_and_keys(app: App, viewer: Viewer) -> None:
    viewer.start()
    expect(viewer.at(".position")).to_have_text("1 / 3")
    expect(viewer.at(".previous")).to_be_disabled()
    viewer.at(".next").click()
    expect(viewer.at(".position")).to_have_text("2 / 3")
    viewer.at(".stage").focus()
    viewer.page.keyboard.press("ArrowRight")
    expect(viewer.at(".position")).to_have_text("3 / 3")
    expect(viewer.at(".next")).to_be_disabled()
    viewer.page.keyboard.press("ArrowRight")
    viewer.page.keyboard.press("ArrowLeft")
    expect(viewer.at(".position")).to_have_text("2 / 3")
    assert app.events == [("select", {"index": index}) for index in (1, 2, 1)]


def test_keys_zoom_and_the_screen_is_filled(viewer: Viewer) -> None:
    viewer.start()
    viewer.at(".stage").focus()
    press = viewer.page.keyboard.press
    press("1")
    expect(viewer.at(".actual")).to_have_attribute("aria-pressed", "true")
    press("+")
    expect(viewer.at(".percent")).to_have_text("125%")
    press("-")
    press("-")
    expect(viewer.at(".percent")).to_have_text("80%")
    press("0")
    expect(viewer.at(".fit")).to_have_attribute("aria-pressed", "true")
    height = viewer.box(".stage")["height"]
    viewer.at(".full").click()
    expect(viewer.at(".full")).to_have_attribute("aria-pressed", "true")
    assert viewer.box(".stage")["height"] > height
    viewer.at(".full").click()
    expect(viewer.at(".full")).to_have_attribute("aria-pressed", "false")


def test_versions_are_compared(app: App, viewer: Viewer) -> None:
    viewer.start()
    expect(viewer.at(".versions")).to_be_hidden()
    viewer.at(".next").click()
    expect(viewer.at(".versions")).to_be_visible()
    expect(viewer.at(".tag.left")).to_have_text("Before")
    expect(viewer.at(".tag.right")).to_have_text("Version 2")
    expect(viewer.at(".newer option")).to_have_text(["Version 1", "Version 2"])
    viewer.at(".older").select_option("a")
    expect(viewer.at(".tag.left")).to_have_text("Version 1")
    expect(viewer.at(".older")).to_have_value("a")
    assert app.events[-1] == ("input", {"index": 1, "left": "a", "right": "b"})


def test_a_hostile_name_stays_a_name(app: App, viewer: Viewer) -> None:
    viewer.start()
    viewer.at(".outlines").click()
    expect(viewer.at(".face").nth(2)).to_have_attribute("aria-label", HOSTILE)
    viewer.at(".next").click()
    viewer.at(".next").click()
    expect(viewer.at(".name")).to_have_text(HOSTILE)
    expect(viewer.at("img.after")).to_have_attribute("alt", f"{HOSTILE} – After")
    expect(viewer.at("img")).to_have_count(3)  # before, after, marks
    assert viewer.page.title() != "markup"


def test_the_download_has_the_results_name_and_bytes(viewer: Viewer, folder: Path) -> None:
    viewer.start()
    with viewer.page.expect_download() as event:
        viewer.at(".download").click()
    assert event.value.suggested_filename == "group_enhanced.png"
    assert event.value.path().read_bytes() == (folder / "group_enhanced.png").read_bytes()


def test_what_is_shown_is_shared_as_one_picture_in_its_colors(
    app: App, viewer: Viewer, folder: Path
) -> None:
    gray, color = folder / "gray.png", folder / "color.jpg"
    Image.new("L", (300, 200), 128).save(gray)
    Image.new("RGB", (1200, 800), (200, 60, 60)).save(color)
    before, after = (f"gradio_api/file={path}" for path in (gray, color))
    app.views[0] = replace(app.views[0], before=before, after=after)
    viewer.start()
    with viewer.page.expect_download() as event:
        viewer.at(".share").click()
    assert event.value.suggested_filename == "group_before_after.jpg"
    with Image.open(event.value.path()) as image:
        assert image.size == (2404, 800)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    expected = {600: (128, 128, 128), 1201: (255, 255, 255), 1804: (200, 60, 60)}
    for column, rgb in expected.items():
        assert np.abs(pixels[400, column] - rgb).max() < 6


@pytest.mark.parametrize("width", [360, 390])
def test_it_fits_a_phone(open_viewer: Open, width: int) -> None:
    viewer = open_viewer(viewport={"width": width, "height": 780}, has_touch=True)
    viewer.start()
    for name in ("group.jpg", "old_print.jpg"):  # with faces, and with versions
        expect(viewer.at(".name")).to_have_text(name)
        wide = viewer.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        assert viewer.box(".stage")["height"] <= 0.7 * 780
        for control in viewer.at(":is(button, a, select):visible").all():
            box = control.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 40
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        viewer.at(".next").click()
