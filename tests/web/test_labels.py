"""Labels of what was done, without a browser: what switching them does."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Options
from enhance.records import Source
from enhance.web.batches.batch import Batch
from enhance.web.batches.store import BatchStore
from enhance.web.page.labels import Step, labels, switch
from enhance.web.page.look import Tab
from enhance.web.page.status import seconds_left
from tests.web.hands import PRINT, SMALL

OPTIONS = Options(size="1x")


class Person:
    """A person with a batch of the page."""

    def __init__(self, batches: BatchStore, batch: Batch, session: str = "one tab") -> None:
        request: Any = SimpleNamespace(session_hash=session, headers={})
        self.batches = batches
        self.tab = Tab.of(batches, batch.key, request)

    def sees(self, index: int) -> dict[str, tuple[bool, str]]:
        """The labels of a photo by their steps."""
        self.tab.go_to(index)
        assert self.tab.version
        return {each.step: (each.on, each.text) for each in labels(self.tab.version, "en")}

    def switch(self, index: int, step: Step, on: bool) -> bool:
        self.tab.go_to(index)
        return switch(self.tab, step, on)

    def switch_all(self, step: Step, on: bool) -> bool:
        return switch(self.tab, step, on, everywhere=True)

    def work(self) -> int:
        """Let the turns go on until the batch is done; how many photos that were."""
        done = 0
        while self.tab.batch.remaining:
            done += len(list(self.tab.batch.records()))
        return done


@pytest.fixture
def start(engine: LocalEngine, tmp_path: Path) -> Iterator[Any]:
    """A function that starts a batch."""
    store = BatchStore(engine, tmp_path / "files", Limits())

    def start(*photos: Path, options: Options = OPTIONS) -> Person:
        sources = [Source.of(photo) for photo in photos]
        return Person(store, store.start(sources, options, "one", viewed=True))

    yield start
    store.close()


def test_labels_say_what_was_done_and_what_could_be(start: Any) -> None:
    person = start(PRINT, SMALL)
    person.work()
    old, portrait = person.sees(0), person.sees(1)
    assert old["repair"] == (True, "Damage repaired")
    assert old["tone"] == (True, "Colors restored")
    assert portrait["repair"] == (False, "Repair damage")
    assert portrait["tone"] == (False, "Restore faded colors")
    assert portrait["faces"] == (True, "1 face restored")
    assert portrait["background"][0]


def test_faces_and_background_are_switched_at_once(start: Any) -> None:
    person = start(SMALL)
    person.work()
    version = person.tab.entry.version
    whole = version.file.read_bytes()
    batch = person.tab.batch
    usual = seconds_left(batch, batch.entries, OPTIONS, person.batches)
    for step in ("faces", "background"):
        assert not person.switch(0, step, False)
        expected = seconds_left(batch, batch.entries, OPTIONS, person.batches)
        assert expected == pytest.approx(usual, rel=0.5), "nothing but putting together anew"
        assert not person.sees(0)[step][0]
        assert version.file.read_bytes() != whole
        assert not person.switch(0, step, True)
        assert person.sees(0)[step][0]
        assert version.file.read_bytes() == whole
    assert len(person.tab.entry.versions) == 1


def test_faces_that_were_all_taken_out_come_back(start: Any) -> None:
    person = start(SMALL)
    person.work()
    entry = person.tab.entry
    person.tab.batch.change(entry, entry.version, keep=[])
    assert person.sees(0)["faces"] == (False, "Restore faces")
    assert not person.switch(0, "faces", True)
    assert entry.version.report.restored == (0,)


def test_other_steps_enhance_the_photo_again_and_only_once(start: Any) -> None:
    person = start(PRINT)
    person.work()
    assert person.switch(0, "repair", False)
    assert not person.switch(0, "repair", False), "pressed again meanwhile"
    assert person.work() == 1
    assert person.sees(0)["repair"] == (False, "Repair damage")
    assert person.tab.version.options == replace(OPTIONS, repair="off")
    assert not person.switch(0, "repair", True)
    assert person.tab.sides == (1, 0)
    assert person.sees(0)["repair"] == (True, "Damage repaired")
    assert not person.switch(0, "repair", False)
    assert person.tab.sides == (0, 1)
    assert len(person.tab.entry.versions) == 2


def test_what_a_photo_does_not_need_can_be_asked_for(start: Any) -> None:
    person = start(SMALL, options=replace(OPTIONS, restorer="none", background="lanczos"))
    person.work()
    assert person.sees(0)["faces"] == (False, "Restore faces")
    for step in ("faces", "background", "tone"):
        assert person.switch(0, step, True)
        person.work()
    assert person.sees(0)["faces"] == (True, "1 face restored")
    assert person.sees(0)["background"][0]
    assert person.sees(0)["tone"] == (True, "Colors not faded")


def test_what_is_enhanced_again_waits_for_the_photo_at_work(start: Any) -> None:
    person = start(SMALL, PRINT, SMALL)
    batch = person.tab.batch
    first, second, third = batch.entries
    assert [entry.state for entry in batch.entries] == ["waiting"] * 3, "it is not its turn yet"
    records = batch.records()
    assert first.state == "running"
    assert next(records) is first
    assert not person.switch(0, "tone", True), "the turn goes on with it"
    assert [entry.state for entry in batch.entries] == ["waiting", "running", "waiting"]
    assert list(records) == [second]
    assert [*batch.records(), *batch.records()] == [first, third]
    assert [len(entry.versions) for entry in batch.entries] == [2, 1, 1]
    assert [entry.version.options.tone for entry in batch.entries] == ["on", "auto", "auto"]


def test_a_decision_for_all_counts_for_photos_that_are_not_done_yet(start: Any) -> None:
    person = start(PRINT, SMALL, PRINT, PRINT)
    records = person.tab.batch.records()
    next(records)
    next(records)
    person.tab.go_to(0)
    assert not person.switch(0, "repair", False), "the turn goes on with it"
    assert not person.switch_all("repair", False)
    assert not list(records), "what the turn was working on begins anew"
    person.work()
    entries = person.tab.batch.entries
    assert [len(entry.versions) for entry in entries] == [2, 1, 1, 1]
    assert [entry.version.options.repair for entry in entries] == ["off", "auto", "off", "off"]


def test_a_decision_for_all_changes_layers_in_the_batchs_turn(start: Any) -> None:
    person = start(SMALL, PRINT, SMALL)
    person.work()
    assert person.switch_all("faces", False)
    assert [entry.state for entry in person.tab.batch.entries] == ["waiting"] * 3
    assert person.work() == 3
    assert not person.sees(0)["faces"][0] and not person.sees(2)["faces"][0]
    assert not person.switch_all("faces", False), "nothing is left to do"
    assert person.switch_all("faces", True)
    person.tab.batch.abandon()
    assert [entry.state for entry in person.tab.batch.entries] == ["done"] * 3
    assert not person.work() and not person.sees(0)["faces"][0]


def test_a_photo_that_is_taken_out_changes_nothing_else_in_any_tab(start: Any) -> None:
    person = start(SMALL, PRINT, SMALL)
    person.work()
    other = Person(person.batches, person.tab.batch, "another tab")
    other.tab.go_to(1)
    assert other.switch(1, "repair", False)
    other.work()
    other.tab.compare(None, 0)
    person.tab.go_to(0)
    person.tab.remove(0)
    assert person.tab.entry.source.name == PRINT.name, "the next one"
    assert other.tab.entry.source.name == PRINT.name
    assert other.tab.picks == {0: 0} and not person.tab.picks
