from __future__ import annotations

from dataclasses import replace

import pytest

from enhance.estimates import Estimator, readable
from enhance.records import EngineInfo, Face, Options, Report

INFO = EngineInfo("cpu", "fp32", 1e-4)
FACE = Face((0, 0, 100, 100), 0.9, ())
REPORT = Report(
    name="a.jpg",
    source_size=(1000, 500),
    output_size=(2000, 1000),
    faces=(FACE, FACE),
    restored=(0, 1),
    restorer="bundled",
    background="compact",
    detector="retinaface-mobilenet",
    masker="feather",
    upscale=2,
    device="cpu",
    precision="fp32",
    seconds={"decode": 0.1, "detect": 0.1, "restore": 8.0, "upscale": 0.2, "encode": 0.3},
)


def test_more_work_is_expected_to_take_longer() -> None:
    guess = Estimator(INFO)
    small = guess.seconds((500, 500), Options(), faces=1)
    assert 0 < small < guess.seconds((500, 500), Options(), faces=2)
    assert small < guess.seconds((1000, 500), Options(), faces=1)
    assert small < guess.seconds((500, 500), Options(upscale=4), faces=1)
    assert small < guess.seconds((500, 500), Options(background="realesrgan"), faces=1)
    assert guess.seconds((500, 500), Options(restorer="none"), faces=9) < small


def test_auto_is_what_the_device_would_take() -> None:
    for device, background in (("cpu", "compact"), ("cuda", "realesrgan")):
        guess = Estimator(replace(INFO, device=device))
        explicit = Options(background=background)  # type: ignore[arg-type]
        assert guess.seconds((900, 900), Options()) == guess.seconds((900, 900), explicit)


def test_guesses_come_to_agree_with_what_was_seen() -> None:
    guess = Estimator(INFO)
    for _ in range(30):
        guess.learn(REPORT)
    took = sum(REPORT.seconds.values())
    assert guess.seconds((1000, 500), Options(upscale=2), faces=2) == pytest.approx(took, rel=0.01)


def test_one_odd_photo_does_not_rule_the_guess() -> None:
    guess = Estimator(INFO)
    for _ in range(30):
        guess.learn(REPORT)
    usual = guess.seconds((1000, 500), Options())
    guess.learn(replace(REPORT, seconds={name: 3 * s for name, s in REPORT.seconds.items()}))
    assert usual < guess.seconds((1000, 500), Options()) < 2 * usual


def test_a_photo_without_faces_says_nothing_about_faces() -> None:
    guess, fresh = Estimator(INFO), Estimator(INFO)
    guess.learn(replace(REPORT, faces=(), restored=(), seconds={"upscale": 0.2}))
    per_face = [
        e.seconds((1000, 500), Options(), 5) - e.seconds((1000, 500), Options(), 0)
        for e in (guess, fresh)
    ]
    assert per_face[0] == pytest.approx(per_face[1])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (2.6, "3 s"),
        (98, "98 s"),
        (120, "2 min"),
        (3540, "59 min"),
        (3600, "1 h 0 min"),
        (3900, "1 h 5 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert readable(seconds) == text


def test_short_durations_can_have_tenths() -> None:
    assert readable(2.64, tenths=True) == "2.6 s"
