from dataclasses import replace
from functools import partial

import pytest

from enhance.options import Options
from enhance.pipeline.estimates import Estimator, readable
from enhance.records import EngineInfo, Face, Report

INFO = EngineInfo("cpu", "fp32", 1e-4)
PHOTO = [(1000, 500)]
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


def seconds(
    guess: Estimator,
    sizes: list[tuple[int, int]] = PHOTO,
    options: Options = Options(),  # noqa: B008
    faces: int = 1,
) -> float:
    guessed = guess.seconds(sizes, options, faces)
    assert guessed is not None
    return guessed


def test_more_work_is_expected_to_take_longer() -> None:
    guess = Estimator(lambda: INFO)
    one = [(500, 500)]
    small = seconds(guess, one)
    assert 0 < small < seconds(guess, one, faces=2)
    assert small < seconds(guess, [(1000, 500)])
    assert small < seconds(guess, one, Options(size="4x"))
    assert small == seconds(guess, one, Options(size="1000"))
    assert seconds(guess, one, Options(size="0.5x")) < seconds(guess, one, Options(size="1x"))
    assert small < seconds(guess, one, Options(background="realesrgan"))
    assert seconds(guess, one, Options(restorer="none"), faces=9) < small
    assert seconds(guess, one * 3) == pytest.approx(3 * small)


def test_nothing_is_estimated_before_the_models_are_loaded() -> None:
    loaded: list[EngineInfo] = []
    guess = Estimator(lambda: loaded[0] if loaded else None)
    assert not guess.ready
    assert guess.seconds(PHOTO, Options()) is None
    loaded.append(INFO)
    assert guess.ready
    assert seconds(guess) > 0


def test_auto_is_what_the_device_would_take() -> None:
    for device, explicit in (
        ("cpu", Options(background="compact")),
        ("cuda", Options(background="realesrgan")),
    ):
        guess = Estimator(partial(replace, INFO, device=device))
        assert seconds(guess) == seconds(guess, options=explicit)


def test_guesses_come_to_agree_with_what_was_seen() -> None:
    guess = Estimator(lambda: INFO)
    for _ in range(30):
        guess.learn(REPORT)
    took = sum(REPORT.seconds.values())
    assert seconds(guess, faces=2) == pytest.approx(took, rel=0.01)


def test_one_odd_photo_does_not_rule_the_guess() -> None:
    guess = Estimator(lambda: INFO)
    for _ in range(30):
        guess.learn(REPORT)
    usual = seconds(guess)
    guess.learn(replace(REPORT, seconds={name: 3 * s for name, s in REPORT.seconds.items()}))
    assert usual < seconds(guess) < 2 * usual


def test_a_photo_without_faces_says_nothing_about_faces() -> None:
    guess, fresh = Estimator(lambda: INFO), Estimator(lambda: INFO)
    guess.learn(replace(REPORT, faces=(), restored=(), seconds={"upscale": 0.2}))
    per_face = [seconds(e, faces=5) - seconds(e, faces=0) for e in (guess, fresh)]
    assert per_face[0] == pytest.approx(per_face[1])


def test_a_batch_is_expected_to_go_on_as_it_began() -> None:
    """Faces, the photos' sizes and how fast the machine is just now, each of which may differ."""
    guess = Estimator(lambda: INFO)

    def took(size: tuple[int, int], slower: float, faces: int) -> float:
        """Of a machine that is so many times slower than was thought."""
        return slower * seconds(guess, [size], faces=faces)

    for slower in (0.3, 1.0, 2.5):
        for faces in (0, 1, 6):
            small, large = (800, 600), (4000, 3000)
            done = replace(
                REPORT,
                source_size=small,
                faces=(FACE,) * faces,
                restored=tuple(range(faces)),
                seconds={"upscale": took(small, slower, faces)},
            )
            expected = guess.seconds_like([(done, Options())], [small, large], Options())
            actual = took(small, slower, faces) + took(large, slower, faces)
            assert expected == pytest.approx(actual)
            # Other options, for which only the pace and the faces can be taken from it.
            larger = guess.seconds_like([(done, Options())], [small], Options(size="4x"))
            usual = seconds(guess, [small], Options(size="4x"), faces)
            assert larger == pytest.approx(slower * usual)
    assert guess.seconds_like([], PHOTO, Options()) == seconds(guess)


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
