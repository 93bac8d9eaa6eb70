"""Batches without a browser: what happens to their files."""

import gc
import io
import math
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.routing import Route

from benchmarks.photos import hopper
from enhance.engines.local import LocalEngine
from enhance.errors import EnhanceError, NoRoom, OptionsError, TooManyPhotos, WeightsMissing
from enhance.limits import Limits
from enhance.names import output_stem
from enhance.options import OPTIONS, Options, Setup
from enhance.photos import DECODER, size_of
from enhance.pipeline.enhancer import Enhancer, load_enhancer
from enhance.pipeline.estimates import Estimator
from enhance.records import Photo, Report, Source
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry, Version
from enhance.web.batches.store import BatchStore
from enhance.web.batches.waiting_list import SILENT_SECONDS
from enhance.web.page.status import headline, progress, seconds_left
from enhance.web.page.viewed import details
from enhance.web.server.routes import routes
from tests.server import SAMPLES

FAST = Options(size="1x", restorer="none", background="lanczos", repair="off", tone="off")


@pytest.fixture
def batches(tmp_path: Path) -> BatchStore:
    engine = LocalEngine(lambda: load_enhancer(Setup(device="cpu"), Limits()), Limits())
    return BatchStore(engine, tmp_path / "files", Limits())


def photos(folder: Path, count: int, suffix: str = ".tif") -> list[Source]:
    paths = [folder / f"{i}{suffix}" for i in range(count)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((40, 30, 3), 50 * i, np.uint8)).save(path)
    return [Source.of(path) for path in paths]


def folder(inside: Path) -> Path:
    (inside / "archive").mkdir()
    return inside / "archive"


def test_a_batch_that_goes_on_keeps_its_pictures(batches: BatchStore, tmp_path: Path) -> None:
    with closing(batches.engine):
        batch = batches.start(photos(tmp_path, 3), FAST, "one", viewed=True)
        next(batch.records())
        batch.abandon()
        assert [entry.state for entry in batch.entries] == ["done", "stopped", "stopped"]
        batch.begin(batch.due, FAST)
        assert len(list(batch.records())) == 2
    for i, entry in enumerate(batch.entries):
        assert entry.version
        for path in (entry.version.shown, entry.version.thumbnail, entry.before):
            with Image.open(path) as image:
                assert abs(int(np.asarray(image).mean()) - 50 * i) <= 1


def test_who_begins_again_while_the_old_turn_ends_gets_every_photo(
    batches: BatchStore, tmp_path: Path
) -> None:
    with closing(batches.engine):
        batch = batches.start(photos(tmp_path, 3), FAST, "one", viewed=True)
        old = batch.records()
        next(old)
        batch.abandon()
        batch.begin(batch.due, FAST)
        assert list(old) == []
        assert len(list(batch.records())) == 2
    assert [len(entry.versions) for entry in batch.entries] == [1, 1, 1]


def test_a_photo_that_is_saved_while_another_turn_makes_it_counts_once(
    batches: BatchStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(batches.engine):
        batch = batches.start(photos(tmp_path, 2), FAST, "one")
        save = Entry.save

        def slow(self: Entry, name: str, data: bytes) -> Path:
            monkeypatch.setattr(Entry, "save", save)
            batch.abandon()
            batch.begin(batch.due, FAST)
            assert len(list(batch.records())) == 2
            return save(self, name, data)

        monkeypatch.setattr(Entry, "save", slow)
        list(batch.records())
    assert [len(entry.versions) for entry in batch.entries] == [1, 1]
    assert batch.metrics.registry.get_sample_value("enhance_photos_total") == 2


def test_a_batch_may_be_left_while_a_photo_is_saved(
    batches: BatchStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Entry.save

    def slow(self: Entry, name: str, data: bytes) -> Path:
        batches.leave("one")
        return save(self, name, data)

    monkeypatch.setattr(Entry, "save", slow)
    with closing(batches.engine):
        batch = batches.start(photos(tmp_path, 2), FAST, "one")
        assert list(batch.records()) == []
        assert [entry.state for entry in batch.entries] == ["stopped", "stopped"]
        monkeypatch.undo()
        batch.begin(batch.due, FAST)
        assert len(list(batch.records())) == 2


def test_the_time_left_counts_down_while_a_photo_is_at_work(
    batches: BatchStore, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (4000, 3000)).save(path)
    slow = replace(FAST, background="realesrgan")
    with closing(batches.engine):
        batches.engine.load()
        batch = batches.start([Source.of(path)] * 2, slow, "one")
        records = batch.records()  # it is its turn
        whole = seconds_left(batch, batch.entries[:1], slow, batches)
        begun, seen = progress(batch, batches, "en"), []
        for gone in (0.0, 0.5, 1.0, 1.5):
            batch.progressed = time.monotonic() - gone * whole
            seen.append(progress(batch, batches, "en"))
        batch.abandon()
        assert list(records) == []
    assert begun["seconds"] == pytest.approx(whole, rel=0.1)
    assert [one["seconds"] for one in seen] == pytest.approx(
        [whole, whole / 2, 0, 0], abs=whole / 10
    )
    assert [one["percent"] for one in seen] == pytest.approx([0, 24, 47.5, 47.5], abs=2)
    assert len({one["headline"] for one in seen}) == 3, "the last two are alike: it takes longer"
    assert {one["soon"] for one in seen} == {47.5}


def test_the_time_left_is_that_of_the_options_at_work(batches: BatchStore, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (600, 600)).save(path)
    with closing(batches.engine):
        batch = batches.start([Source.of(path), *photos(tmp_path, 1)], FAST, "one")
        assert "Photo 1 of 2 will start once the models are loaded" in headline(batch, batches)
        batches.engine.load()
        assert "photo 1 of 2, about 1 s left" in headline(batch, batches)
        assert len(list(batch.records())) == 2
        batch.begin(batch.entries[:1], replace(FAST, background="realesrgan"))
        again = headline(batch, batches)
        batch.abandon()
    assert "photo 1 of 2" in again and "about 1 s" not in again


def finished(batch: Batch, seconds: float) -> None:
    """The next photo has been enhanced; it took so long."""
    entry = batch.remaining[0]
    assert entry.size
    report = Report(
        name=entry.source.name,
        source_size=entry.size,
        output_size=entry.size,
        faces=(),
        restored=(),
        restorer="none",
        background="lanczos",
        detector="retinaface-mobilenet",
        masker="feather",
        upscale=1,
        device="cpu",
        precision="fp32",
        seconds={"encode": seconds},
    )
    batch.estimator.learn(report)
    path = entry.source.path
    used = batch.options_at_work
    entry.versions.append(Version(used, used, report, path, path, path, path, None, ()))
    entry.state = "done"


def test_the_time_left_follows_what_the_photos_of_the_batch_took(
    batches: BatchStore, tmp_path: Path
) -> None:
    """On a machine that has become busy, so that all take many times what the estimate knows."""
    sizes = [(400, 300), (1200, 900), (300, 300), (900, 1200), (600, 400), (1000, 700)]
    for number, size in enumerate(sizes):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    sources = [Source.of(tmp_path / f"{number}.png") for number in range(len(sizes))]
    rng = np.random.default_rng(1)
    took = [3e-5 * math.prod(size) * rng.uniform(0.9, 1.1) for size in sizes]
    with closing(batches.engine):
        batches.engine.load()
        batch = batches.start(sources, FAST, "one")
        for number, seconds in enumerate(took):
            left = seconds_left(batch, batch.remaining, FAST, batches)
            if number:
                assert left == pytest.approx(sum(took[number:]), rel=0.25), number
            finished(batch, seconds)


def test_the_time_left_is_short_for_changes_without_a_model(
    batches: BatchStore, tmp_path: Path
) -> None:
    with closing(batches.engine):
        batches.engine.load()
        cleaned = replace(FAST, background="compact")
        batch = batches.start(photos(tmp_path, 2), cleaned, "one")
        for _ in batch.entries:
            finished(batch, 1.0)
        again = seconds_left(batch, batch.entries, cleaned, batches)
        for entry in batch.entries:
            batch.later(entry, lambda: None)
        assert 0 < seconds_left(batch, batch.remaining, cleaned, batches) < again


def test_the_time_left_counts_the_photos_of_others_that_come_in_between(
    batches: BatchStore, tmp_path: Path
) -> None:
    for name, side in (("small", 100), ("large", 1000)):
        Image.new("RGB", (side, side)).save(tmp_path / f"{name}.png")
    small, large = (Source.of(tmp_path / f"{name}.png") for name in ("small", "large"))
    with closing(batches.engine):
        batches.engine.load()
        mine = batches.start([small] * 2, FAST, "one")
        alone = seconds_left(mine, mine.remaining, FAST, batches)
        yours = batches.start([large] * 9, FAST, "two")
        nine = seconds_left(yours, yours.remaining, FAST, batches) - alone
        # Photo by photo: two of theirs are done before mine are.
        both = seconds_left(mine, mine.remaining, FAST, batches)
        assert both == pytest.approx(alone + nine * 2 / 9)


def test_photos_are_added_to_a_batch_that_is_not_begun(batches: BatchStore, tmp_path: Path) -> None:
    three = photos(tmp_path, 3)
    with closing(batches.engine):
        batch = batches.start(three[:2], None, "one", viewed=True)
        assert not batch.remaining and not batches.alive() and headline(batch, batches) == ""
        assert batch.remove(1)
        batches.add(batch, [three[0], three[2]])  # one of which it has already
        assert [entry.source.name for entry in batch.due] == ["0.tif", "2.tif"]
        named = replace(FAST, name="{index}")
        batch.begin(batch.due, named)
        assert not batch.remove(0), "it is being worked on"
        done = [entry.version.file.name for entry in batch.records() if entry.version]
        assert done == ["001.tif", "002.tif"]
        batches.add(batch, [three[1]])
        assert headline(batch, batches) == "2 of 2 photos enhanced."
        assert [entry.source.name for entry in batch.due] == ["1.tif"]
        with pytest.raises(TooManyPhotos, match="You sent 501 photos"):
            batches.add(batch, [replace(three[0], path=tmp_path / str(i)) for i in range(498)])
        assert len(batch.entries) == 3


def test_a_photo_that_is_taken_out_leaves_no_file_and_no_name(
    batches: BatchStore, tmp_path: Path
) -> None:
    (photo,) = photos(tmp_path, 1)
    portrait = Source.of(SAMPLES / "small_portrait.jpg")
    with closing(batches.engine):
        batch = batches.start([photo, portrait], Options(size="1x"), "one", viewed=True)
        list(batch.records())
        for entry in batch.entries:
            entry.previewed(Limits())
        assert batch.remove(1)
        assert [*batch.folder.iterdir()] == [batch.entries[0].folder]
        assert batch.remove(0)
        assert not [*batch.folder.iterdir()]
        assert photo.path.exists() and portrait.path.exists()
        batches.add(batch, [photo])
        batch.begin(batch.due, FAST)
        assert [each.version.file.name for each in batch.records() if each.version] == [
            "0_enhanced.tif"
        ]


def test_a_photo_is_not_taken_out_while_work_begins(batches: BatchStore, tmp_path: Path) -> None:
    with closing(batches.engine), ThreadPoolExecutor() as apart:
        batch = batches.start(photos(tmp_path, 2), None, "one", viewed=True)
        with batch.lock:
            out = apart.submit(batch.remove, 0)
            wait([out], timeout=0.5)  # which gives it the time to do what it must not
            batch.begin(batch.entries, FAST)
        assert not out.result() and len(batch.entries) == 2
        assert [entry.state for entry in batch.records()] == ["done", "done"]


def test_models_that_load_at_the_second_attempt_give_an_estimate(tmp_path: Path) -> None:
    attempts = iter([None, load_enhancer(Setup(device="cpu"), Limits())])

    def load() -> Enhancer:
        enhancer = next(attempts)
        if enhancer is None:
            raise WeightsMissing("They are not there yet.")
        return enhancer

    with closing(LocalEngine(load, Limits())) as engine:
        estimator = Estimator(lambda: engine.info)
        with pytest.raises(WeightsMissing):
            engine.load()
        assert not estimator.ready
        assert len(list(engine.run(photos(tmp_path, 1), FAST))) == 1
        assert estimator.ready
        assert estimator.seconds([(30, 40)], FAST)


def test_estimates_learn_from_every_batch_once(batches: BatchStore, tmp_path: Path) -> None:
    """Also from those of the API, which nobody views."""
    with closing(batches.engine):
        batches.engine.load()

        def guess() -> float | None:
            return batches.estimator.seconds([(1000, 1000)], FAST)

        fresh = guess()
        batch = batches.start(photos(tmp_path, 1), FAST, "one")
        list(batch.records())
        learnt = guess()
        assert learnt != fresh
        batch.entries[0].source.path.unlink()
        batch.begin(batch.entries, FAST)
        list(batch.records())
        assert guess() == learnt


def test_a_version_stays_when_a_later_attempt_fails_and_the_page_says_why(
    batches: BatchStore, tmp_path: Path
) -> None:
    with closing(batches.engine):
        batch = batches.start(photos(tmp_path, 1), FAST, "one", viewed=True)
        (entry,) = batch.records()
        version = entry.version
        entry.source.path.unlink()
        batch.begin([entry], FAST)
        assert list(batch.records()) == [entry]
        assert entry.state == "failed"
        assert entry.failure
        assert version
        assert entry.version is version
        assert batch.finished == [entry]
        assert headline(batch, batches).startswith("1 of 1 photos enhanced, 1 failed. “")
        assert entry.failure.reason in details(entry, version, "en")
        assert "30 × 40 → 30 × 40" in details(entry, version, "en")
        Image.new("RGB", (30, 40)).save(entry.source.path)
        batch.begin([entry], FAST)
        assert [(e.state, e.failure, len(e.versions)) for e in batch.records()] == [
            ("done", None, 2)
        ]


def test_a_folder_that_cannot_be_made_is_a_sentence(batches: BatchStore, tmp_path: Path) -> None:
    (results,) = (tmp_path / "files").glob("results-*")
    results.rmdir()
    results.touch()
    with closing(batches.engine), pytest.raises(NoRoom):
        batches.start(photos(tmp_path, 1), FAST, "one")


def test_faces_that_cannot_be_switched_are_a_sentence(batches: BatchStore) -> None:
    with closing(batches.engine):
        portrait = Source.of(SAMPLES / "small_portrait.jpg")
        batch = batches.start([portrait], Options(size="1x"), "one", viewed=True)
        (entry,) = batch.records()
        assert entry.version and entry.version.layers
        entry.version.layers.unlink()
        with pytest.raises(EnhanceError, match=r"“small_portrait\.jpg” could not be saved"):
            batch.change(entry, entry.version, keep=[])


def test_a_full_disk_is_told_as_it_is(batches: BatchStore, tmp_path: Path) -> None:
    crowded = BatchStore(batches.engine, tmp_path / "files", Limits(max_disk_bytes=5000))
    upload = tmp_path / "files" / ("0" * 64)
    upload.mkdir()
    (upload / "photo.png").write_bytes(bytes(9000))
    crowded.sweep()
    with pytest.raises(NoRoom, match="no room for more photos"):
        crowded.start(photos(tmp_path, 1), FAST, "one", client="one")
    assert (crowded.metrics.registry.get_sample_value("enhance_files_bytes") or 0) >= 9000


@pytest.mark.parametrize("leave_after", [1, 2, 3])
def test_a_batch_that_is_over_holds_no_pixels(
    batches: BatchStore, tmp_path: Path, leave_after: int
) -> None:
    with closing(batches.engine):
        sources = photos(tmp_path, 3, ".png")
        sources[1].path.write_bytes(sources[1].path.read_bytes()[:60])  # its error holds frames
        batch = batches.start(sources, FAST, "one")
        records = batch.records()
        for _ in range(leave_after):
            next(records)
        batch.abandon()
        del records
    assert batch.outcomes({})
    for _ in range(100):  # a thread lets go a moment after its work is done
        gc.collect()
        held = [kept for kept in gc.get_objects() if isinstance(kept, Photo)]
        if not {photo.name for photo in held} & {source.name for source in sources}:
            break
        del held
        time.sleep(0.05)
    else:
        pytest.fail("pixels are held")


def test_uploads_may_vanish_while_their_batch_waits(batches: BatchStore, tmp_path: Path) -> None:
    with closing(batches.engine):
        sources = photos(tmp_path, 2, ".png")
        batch = batches.start(sources, FAST, "one")
        for source in sources:
            source.path.unlink()
        assert [entry.state for entry in batch.records()] == ["done", "done"]


def test_names_in_the_archive_are_unique(batches: BatchStore, tmp_path: Path) -> None:
    names = ["a.png", "a.png", "A.PNG", "x/a.png", "a?.png", "a", "a_enhanced.png", "", "\0"]
    names += ["b.gif", "a_enhanced_2.png", "straße.png", "STRASSE.png", "\u00e9.png", "e\u0301.png"]
    (photo,) = photos(tmp_path, 1, ".png")
    with closing(batches.engine):
        batch = batches.start([replace(photo, name=name) for name in names], FAST, "one")
        list(batch.records())
    files = [path.name for path in batch.archive(folder(tmp_path), {})]
    assert len({file.casefold() for file in files}) == len(names)
    assert files[:3] == ["a_enhanced.png", "a_enhanced_2.png", "A_enhanced_3.png"]
    assert all(file == Path(file).name and file.endswith(".png") for file in files)


def test_a_photo_enhanced_again_keeps_its_name_and_takes_nobody_elses(
    batches: BatchStore, tmp_path: Path
) -> None:
    options = replace(FAST, name="{index} album")
    with closing(batches.engine):
        batch = batches.start(photos(tmp_path, 2, ".png"), options, "one")
        list(batch.records())
        for name in ("{index} album", "001 album", "same", "{stem}"):
            batch.begin(batch.entries[1:], replace(options, name=name))
            list(batch.records())
        batch.begin(batch.entries[:1], replace(options, name="Same"))
        list(batch.records())
    first, second = ([version.file.name for version in entry.versions] for entry in batch.entries)
    assert first == ["001 album.png", "Same_2.png"]
    assert second == ["002 album.png"] * 2 + ["001 album_2.png", "same.png", "1.png"]
    assert [path.name for path in batch.archive(folder(tmp_path), {})] == ["Same_2.png", "1.png"]


def test_an_archive_is_sent_whole_whatever_becomes_of_its_batch(
    batches: BatchStore, tmp_path: Path
) -> None:
    with closing(batches.engine):
        sources = [Source.of(SAMPLES / "small_portrait.jpg"), *photos(tmp_path, 2, ".png")]
        batch = batches.start(sources, Options(size="1x"), "one", viewed=True)
        (first, *_) = batch.records()
        (route,) = (
            each
            for each in routes(batches)
            if isinstance(each, Route) and each.path.endswith("enhanced_photos.zip")
        )
        scope = {
            "type": "http",
            "path_params": {"key": batch.key},
            "query_string": b"",
        }
        response = route.endpoint(Request(scope))

        async def download() -> bytes:
            body = aiter(response.body_iterator)
            received = [await anext(body)]
            assert first.version
            batch.change(first, first.version, weight=0.5)
            batch.change(first, first.version, keep=[])
            batch.touched -= 7 * 3600
            batches.expire()
            assert not batch.folder.exists()
            return b"".join([*received, *[chunk async for chunk in body]])

        with ThreadPoolExecutor() as apart:  # from the loop of the browser's tests
            archive = apart.submit(anyio.run, download).result()
    assert len(archive) == int(response.headers["Content-Length"])
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        assert len(opened.namelist()) == 5
    assert not list((tmp_path / "files").glob("results-*/archive-*"))


def test_two_servers_do_not_share_a_folder(batches: BatchStore, tmp_path: Path) -> None:
    with closing(batches.engine):
        batch = batches.start(photos(tmp_path, 1, ".png"), FAST, "one")
        list(batch.records())
        BatchStore(batches.engine, tmp_path / "files", Limits())
        version = batch.entries[0].version
        assert version and version.file.exists()


def test_the_size_of_a_broken_avif_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "photo.avif"
    Image.fromarray(hopper()[:64, :64]).save(path)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(200):
        broken = bytearray(whole)
        for at in random.integers(8, 300, 3):
            broken[at] ^= 1 << random.integers(0, 8)
        path.write_bytes(broken)
        size_of(path)  # must not raise, whatever the decoder does


def test_a_name_that_is_no_text_gets_one() -> None:
    output_stem("caf\udce9.jpg").encode()


def test_whole_numbers_are_asked_for() -> None:
    import gradio as gr

    from enhance.web.page.settings import draw_options, options_from

    with gr.Blocks():
        widgets, _ = draw_options()
    usual = [widget.value for widget in widgets.values()]
    names = list(widgets)
    assert names == list(OPTIONS) and options_from(usual) == Options()
    assert names[:3] == ["size", "restorer", "weight"]
    values = ["4k", usual[1], None, *usual[3:]]  # None: an empty field
    assert options_from(values) == Options(size="3840")
    values[0], tile = "", names.index("tile")
    assert options_from(values) == Options()
    values[tile] = 640.5
    with pytest.raises(OptionsError, match="whole number"):
        options_from(values)
    odd_ones: tuple[object, ...] = (math.nan, math.inf, 10**400, -1, "2", [], {})
    for place, name in enumerate(names):
        for odd in odd_ones if name != "name" else ():
            values = [*usual]
            values[place] = odd
            with pytest.raises(OptionsError, match=f"{name} must be"):
                options_from(values)


def test_what_is_no_photo_has_no_size(tmp_path: Path) -> None:
    for nothing in ("none.png", "a\0b.png", "a" * 5000):
        assert DECODER.size_of(tmp_path / nothing) is None


def test_a_batch_that_nobody_asks_for_waits_no_longer(batches: BatchStore, tmp_path: Path) -> None:
    with closing(batches.engine):
        gone, here, api = (
            batches.start(photos(tmp_path, 1), FAST, session, viewed=session != "api")
            for session in ("gone", "here", "api")
        )
        batches.waiting_list.join(here.key)
        for batch in (gone, here, api):
            batch.touched -= 2 * SILENT_SECONDS
        batches.sweep()
        assert batches.alive() == [here, api]
        assert [entry.state for entry in gone.entries] == ["stopped"]


def test_an_expired_batch_has_no_place_in_the_line(batches: BatchStore, tmp_path: Path) -> None:
    with closing(batches.engine):
        batch = batches.start(photos(tmp_path, 1), FAST, "one")
        batches.waiting_list.join(batch.key)
        batch.touched -= 7 * 3600
        batches.expire()
    assert batches.get(batch.key) is None
    assert batches.waiting_list.ahead(batch.key) is None
    assert not batches.waiting_list.waiting
