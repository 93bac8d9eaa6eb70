"""The endpoints, through Gradio's JavaScript client."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from tests.node import FOLDER, run
from tests.server import SAMPLES, Server
from tests.web.api_photos import QUICK, SLOW, results, square


def call(name: str, server: Server, *photos: Path, cwd: Path | None = None) -> list[Any]:
    printed = run(FOLDER / "calls.mjs", name, server.url, *photos, cwd=cwd)
    return [json.loads(line) for line in printed.splitlines()]


def test_enhance_gives_a_file_and_its_report(server: Server, tmp_path: Path) -> None:
    (answer,) = call("enhance", server, SAMPLES / "small_portrait.jpg", cwd=tmp_path)
    assert answer["name"] == "small_portrait_enhanced.png"
    with Image.open(tmp_path / answer["name"]) as image:
        assert image.format == "PNG"
        assert list(image.size) == [510, 600] == answer["report"]["output_size"]


def test_each_photo_arrives_before_the_next_one_is_finished(
    server: Server, corrupt: Path, tmp_path: Path
) -> None:
    names = ["js_first", "js_second", "js_third"]
    photos = [square(tmp_path / f"{name}.png", 200) for name in names]
    events = call("enhance_batch", server, photos[0], photos[1], corrupt, photos[2])
    assert events[-1].pop("arrived") and events[-2].pop("arrived")
    assert events.pop() == events[-1]  # the client gives the last event twice
    assert [event["report"]["index"] for event in events] == [0, 1, 2, 3]
    bad = events.pop(2)
    assert bad["name"] is None and "“corrupt.jpg” is damaged" in bad["report"]["reason"]
    assert [event["name"] for event in events] == [f"{name}_enhanced.png" for name in names]
    for event, following in zip(events, names[1:], strict=False):
        (finished,) = results(server, following)
        if "arrived" in event:
            assert event["arrived"] < finished.stat().st_mtime


def test_cancel_stops_the_work_within_a_photo(server: Server, tmp_path: Path) -> None:
    edges = {"js_quick": QUICK, "js_slow": SLOW, "js_later": QUICK, "js_other": QUICK}
    photos = [square(tmp_path / f"{name}.png", edge) for name, edge in edges.items()]
    (report,) = call("cancel", server, *photos)
    assert report["ok"] and report["name"] == "js_other.png"
    # Had the slow one gone on, the other would have waited for it.
    written = [name for name in edges if results(server, name)]
    assert written == ["js_quick", "js_other"]


def test_errors_are_sentences(server: Server, corrupt: Path) -> None:
    (answer,) = call("failure", server, corrupt)
    assert "“corrupt.jpg” is damaged" in answer["message"]


def test_models_and_health(server: Server) -> None:
    models, health = call("look", server)
    kinds = {"restorer", "background", "fill", "detector", "masker"}
    assert {model["kind"] for model in models} == kinds
    assert health["status"] in ("ok", "loading") and health["version"]
