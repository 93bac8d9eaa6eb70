"""Results that come faster than a page should be sent them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from enhance.web.batches.pacing import paced

HOUR = 3600.0
asked_by: ContextVar[str] = ContextVar("asked_by", default="nobody")


def test_the_first_item_is_yielded_at_once_and_the_rest_together() -> None:
    seen = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        seen.wait()
        yield from range(1, 500)

    lists = paced(items(), HOUR)
    assert next(lists) == [0]
    seen.set()
    assert list(lists) == [list(range(1, 500))]  # the end is not waited for either


def test_items_that_come_slowly_are_yielded_one_by_one() -> None:
    gates = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, gate in enumerate(gates):
            gate.wait()
            yield number

    lists = paced(items(), 0)
    for number, gate in enumerate(gates):
        gate.set()
        assert next(lists) == [number]
    assert list(lists) == []


def test_items_keep_coming_while_a_list_is_dealt_with() -> None:
    end = threading.Event()

    def items() -> Iterator[int]:
        yield from range(100)
        end.set()

    lists = paced(items(), 0)
    first = next(lists)
    assert end.wait(60)  # though nobody asks for more
    assert first + [item for some in lists for item in some] == list(range(100))


def test_an_error_comes_after_what_was_done_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    lists = paced(items(), HOUR)
    assert next(lists) == [1]
    with pytest.raises(OSError, match="the disk is gone"):
        next(lists)


def test_who_leaves_early_stops_the_items_after_the_next_one() -> None:
    closed, going = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        try:
            yield 0
            going.wait()
            yield 1
            yield 2
            pytest.fail("went on")
        finally:
            closed.set()

    lists = paced(items(), 0)
    assert next(lists) == [0]
    lists.close()  # type: ignore[attr-defined]
    going.set()
    assert closed.wait(60)


def test_the_items_know_the_request_that_they_are_for() -> None:
    asked_by.set("somebody")
    assert list(paced((asked_by.get() for _ in range(1)), 0)) == [["somebody"]]


def test_what_fails_after_the_page_was_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        gate.wait()
        raise RuntimeError("lost")

    lists = paced(items(), 0)
    next(lists)
    lists.close()
    gate.set()
    until = time.monotonic() + 60
    while "lost" not in caplog.text:
        assert time.monotonic() < until
        time.sleep(0.01)
