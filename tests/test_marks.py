"""Marks of what is repaired: as a picture, changed with a brush, and sent with a photo."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import hopper
from enhance.engines.local import LocalEngine
from enhance.errors import OptionsError
from enhance.limits import Limits
from enhance.options import Options
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhancer
from enhance.records import EngineInfo, Photo, Result, Source
from enhance.repair.marks import Stroke, as_picture, brushed, from_picture
from enhance.web.page.brush import strokes_of
from tests.conftest import Save
from training.evaluate_repair import damaged

OLD = Options(repair="on", tone="off", restorer="none", background="lanczos", size="1x")


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (64, 63)])
def test_marks_come_back_from_their_picture(size: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random(size) < 0.3
    assert np.array_equal(from_picture(as_picture(mask)), mask)


def test_a_browser_sees_the_marks_and_what_lies_under_the_rest() -> None:
    mask = np.zeros((8, 8), bool)
    mask[2, 3] = True
    with Image.open(io.BytesIO(as_picture(mask))) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert alpha[2, 3] > 128
    assert np.count_nonzero(alpha) == 1


def test_the_picture_of_marks_is_small() -> None:
    scratched, truth, _ = damaged(hopper(), "heavy", seed=1)
    assert len(as_picture(np.kron(truth, np.ones((4, 4))).astype(bool))) < 60_000
    assert scratched.shape[0] * 4 > 2000


def test_the_brush_marks_and_removes_marks() -> None:
    none = np.zeros((100, 100), bool)
    line = brushed(none, [Stroke(((10, 50), (90, 50)), 5, on=True)])
    assert line[48:53, 20:80].all()
    assert not line[:45].any()
    assert not none.any(), "the marks that were there before are another array"
    dots = brushed(line, [Stroke(((50, 50),), 9, on=False), Stroke(((0, 0),), 1, on=True)])
    assert dots[0, 0]
    assert not dots[47:54, 47:54].any()
    assert dots[50, 20]
    far = Stroke(((-1e6, 50), (1e6, 50)), 1000, on=True)
    assert brushed(none, [far])[50].all()


def test_what_a_browser_sends_becomes_strokes_of_the_photo() -> None:
    sent = [{"points": "10,20 30,-40", "width": 8, "on": True}]
    assert strokes_of(sent, 0.5) == [Stroke(((5.0, 10.0), (15.0, -20.0)), 4.0, True)]


GOOD: dict[str, Any] = {"points": "1,1", "width": 3, "on": True}


@pytest.mark.parametrize(
    "sent",
    [
        None,
        7,
        "1,1",
        [],
        [None],
        [{}],
        [GOOD | {"points": ""}],
        [GOOD | {"points": "1"}],
        [GOOD | {"points": "1,2,3"}],
        [GOOD | {"points": "1,nan"}],
        [GOOD | {"points": "9" * 5000 + ",1"}],
        [GOOD | {"points": "1000001,1"}],
        [GOOD | {"points": "9" * 400 + ",1"}],
        [GOOD | {"points": "0,0 9999,9999 " * 5000, "width": 100}],
        [GOOD | {"points": {"path": "/etc/passwd"}}],
        [GOOD | {"width": 0}],
        [GOOD | {"width": float("nan")}],
        [GOOD | {"width": 1001}],
        [GOOD | {"width": "3"}],
        [GOOD, {"points": "1,1", "width": 3}],
        [GOOD | {"points": "1,1 " * 20_001}],
    ],
)
def test_anything_else_is_refused(sent: object) -> None:
    with pytest.raises(OptionsError, match="cannot be used"):
        strokes_of(sent, 1)


def test_a_brush_is_measured_in_pixels_of_the_photo() -> None:
    with pytest.raises(OptionsError, match="cannot be used"):
        strokes_of([GOOD | {"width": 300}], 4)
    assert strokes_of([GOOD | {"width": 300}], 1)[0].width == 300


class Blind:
    """Models without a detector of damage."""

    def __init__(self, models: ResidentModels) -> None:
        self._models = models

    def __getattr__(self, name: str) -> Any:
        assert name != "damage_detector", "damage was looked for"
        return getattr(self._models, name)


def test_marks_of_a_person_are_filled_in_and_nothing_is_looked_for(models: ResidentModels) -> None:
    scratched, truth, _ = damaged(hopper(), "thin scratches", seed=1)
    enhancer = Enhancer(Blind(models), Limits(), EngineInfo("cpu", "fp32", 0))  # type: ignore[arg-type]
    photo = Photo("old", scratched, "PNG", marks=truth)
    done = enhancer(photo, OLD, lambda: None)
    assert done.report.repaired == pytest.approx(truth.mean(), abs=1e-6)
    assert np.array_equal(done.marks, truth)  # type: ignore[arg-type]
    changed = (done.canvas != scratched).any(2)
    assert changed[truth].mean() > 0.9
    assert not changed[~truth].any()
    none = enhancer(replace(photo, marks=np.zeros_like(truth)), OLD, lambda: None)
    assert none.report.notes == ("Nothing was repaired, because all marks were removed.",)
    off = enhancer(photo, replace(OLD, repair="off"), lambda: None)
    assert np.array_equal(off.canvas, scratched)
    assert off.marks is None


def test_marks_travel_with_the_photo_and_come_back(engine: LocalEngine, save: Save) -> None:
    scratched, *_ = damaged(hopper(), "medium", seed=2)
    source = save("old.png", scratched)
    (found,) = engine.run([source], OLD, viewed=True)
    assert isinstance(found, Result) and found.marks
    marks = brushed(from_picture(found.marks), [Stroke(((5, 5), (200, 5)), 4, on=True)])
    sent = Source(source.path, source.name, marks=as_picture(marks))
    (again,) = engine.run([sent], OLD, viewed=True)
    assert isinstance(again, Result) and again.marks == as_picture(marks)
    assert again.report.repaired > found.report.repaired
    (unseen,) = engine.run([sent], OLD)
    assert isinstance(unseen, Result) and unseen.marks is None
