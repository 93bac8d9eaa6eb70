import io
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import Damage, Rgb, astronaut, degrade, group
from enhance.engines.local import LocalEngine
from enhance.errors import LayersDamaged, OptionsError, UnreadablePhoto
from enhance.limits import Limits
from enhance.options import Options
from enhance.pipeline.layers import repaste
from enhance.records import Result, Source
from tests.conftest import Save
from tests.pictures import SRGB_CURVE, deep_png, file_of, rgb_profile

SAMPLE = Path(__file__).parents[1] / "assets" / "samples" / "small_portrait.jpg"
OPTIONS = Options(restorer="bundled", background="lanczos", repair="off", tone="off")


def sample() -> Rgb:
    with Image.open(SAMPLE) as image:
        return np.asarray(image)


def transparent() -> Rgb:
    """The sample with a hole in it and a soft left side, 8 bits."""
    alpha = np.full(sample().shape[:2], 255, np.uint8)
    alpha[:, :40] = np.arange(40) * 6
    alpha[90:110, 60:80] = 0
    return np.dstack([sample(), alpha])


def deep(pixels: Rgb) -> Rgb:
    """16 bits, all of them in use."""
    low = np.random.default_rng(5).integers(0, 257, pixels.shape)
    return np.minimum(pixels.astype(np.int64) * 257 + low, 65535).astype(np.uint16)


FILES = {
    "jpeg": lambda: SAMPLE.read_bytes(),
    "png": lambda: file_of(sample(), "PNG"),
    "16-bit png": lambda: deep_png(deep(sample())),
    "16-bit png with alpha": lambda: deep_png(deep(transparent())),
    "alpha": lambda: file_of(transparent(), "PNG"),
    "alpha, lossy": lambda: file_of(transparent(), "WEBP"),
    "gray": lambda: file_of(Image.fromarray(sample()).convert("L"), "TIFF"),
    "wide gamut": lambda: file_of(sample(), "JPEG", icc_profile=rgb_profile("p3", SRGB_CURVE)),
}


@dataclass(frozen=True)
class Done:
    """A photo that was enhanced with its layers kept."""

    source: Source
    options: Options
    result: Result

    def again(self, *keep: int) -> Result:
        """The result with only these faces."""
        assert self.result.layers is not None
        return repaste(
            self.source, self.result.layers, self.result.report, self.options, Limits(), keep
        )


def enhance(engine: LocalEngine, source: Source, options: Options) -> Done:
    (record,) = engine.run([source], options, viewed=True)
    assert isinstance(record, Result), record
    return Done(source, options, record)


def plain(engine: LocalEngine, done: Done) -> Result:
    """The same photo, its faces as they were."""
    return enhance(engine, done.source, replace(done.options, weight=0)).result


def pixels(result: Result) -> Rgb:
    with Image.open(io.BytesIO(result.data)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def pair(engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Two faces beside each other."""
    path = tmp_path_factory.mktemp("pair") / "two.png"
    Image.fromarray(degrade(group(2, 900, 600), Damage(down=3))).save(path)
    done = enhance(engine, Source.of(path), OPTIONS)
    assert done.result.report.restored == (0, 1)
    return done


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_file_is_made_again(engine: LocalEngine, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo"
    path.write_bytes(FILES[kind]())
    done = enhance(engine, Source.of(path), OPTIONS)
    assert done.result.report.restored == (0,)
    whole, without = done.again(0), done.again()
    assert whole.data == done.result.data
    assert without.data == plain(engine, done).data
    assert without.data != whole.data
    assert whole.report.notes == without.report.notes == done.result.report.notes


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        replace(OPTIONS, size="1x", format="jpeg", quality=80),
        replace(OPTIONS, size="4x", format="webp", weight=0.4),
        replace(OPTIONS, size="3x", metadata="strip"),
        replace(OPTIONS, size="0.5x"),
        replace(OPTIONS, size="1000", background="compact"),
    ],
    ids=["auto", "same size", "half the weight", "stripped", "smaller", "longer side"],
)
def test_whatever_the_options(engine: LocalEngine, options: Options) -> None:
    done = enhance(engine, Source.of(SAMPLE), options)
    assert done.again(0).data == done.result.data
    assert done.again().data == plain(engine, done).data


@pytest.mark.parametrize("depth", [8, 16])
def test_a_models_background_is_not_made_again(
    engine: LocalEngine, tmp_path: Path, depth: int
) -> None:
    small = np.asarray(cv2.resize(sample(), (102, 120), interpolation=cv2.INTER_AREA))
    path = tmp_path / "small.png"
    path.write_bytes(file_of(small, "PNG") if depth == 8 else deep_png(deep(small)))
    done = enhance(engine, Source.of(path), replace(OPTIONS, background="compact"))
    assert done.again(0).data == done.result.data
    assert done.again().data == plain(engine, done).data
    interpolated = enhance(engine, done.source, replace(OPTIONS, weight=0))
    assert done.again().data != interpolated.result.data


@pytest.mark.parametrize("depth", [8, 16])
def test_strengths_are_changed_without_a_model(
    engine: LocalEngine, tmp_path: Path, depth: int
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(file_of(sample(), "PNG") if depth == 8 else deep_png(deep(sample())))
    strong = replace(OPTIONS, background="compact")
    done = enhance(engine, Source.of(path), strong)
    for weight, background_weight in ((0.4, 1.0), (1.0, 0.3), (0.2, 0.7), (1.0, 0.0)):
        other = replace(strong, weight=weight, background_weight=background_weight)
        expected = enhance(engine, done.source, other).result
        assert replace(done, options=other).again(0).data == expected.data
    steps = [
        pixels(replace(done, options=replace(strong, background_weight=w)).again())
        for w in (0, 0.5, 1)
    ]
    assert np.abs(steps[0] + steps[2] - 2 * steps[1]).max() <= 2
    assert np.abs(steps[2] - steps[0]).mean() > 1


def test_a_photo_without_faces_has_a_background_to_weigh(engine: LocalEngine, save: Save) -> None:
    landscape = save("landscape.png", np.ascontiguousarray(astronaut()[380:, :200]))
    done = enhance(engine, landscape, replace(OPTIONS, background="compact"))
    assert done.again().data == done.result.data
    grainy = replace(done, options=replace(done.options, background_weight=0))
    assert np.array_equal(
        pixels(grainy.again()), pixels(enhance(engine, landscape, OPTIONS).result)
    )


def test_one_of_two_faces(engine: LocalEngine, pair: Done) -> None:
    both, none = pixels(pair.result), pixels(plain(engine, pair))
    ones = [pixels(pair.again(i)) for i in (0, 1)]
    middle = both.shape[1] // 2
    left_of = {
        i: pair.result.report.faces[i].center[0] * 2 < middle for i in pair.result.report.restored
    }
    assert sorted(left_of.values()) == [False, True]
    for i, one in enumerate(ones):
        changed = (one != none).any(axis=2)
        box = [round(2 * v) for v in pair.result.report.faces[i].box]
        assert changed[box[1] : box[3], box[0] : box[2]].mean() > 0.9
        other = [round(2 * v) for v in pair.result.report.faces[1 - i].box]
        assert not changed[other[1] : other[3], other[0] : other[2]].any()
    assert np.array_equal(none + sum(one - none for one in ones), both)


def test_the_report_says_what_was_kept(pair: Done) -> None:
    before = pair.result.report
    for keep in ((), (1,), (1, 0)):
        after = pair.again(*keep).report
        assert after.restored == tuple(sorted(keep))
        assert after == replace(before, restored=after.restored, seconds=after.seconds)
        assert list(after.seconds) == list(before.seconds)
        same = {"decode", "detect", "restore", "upscale"}
        assert all(after.seconds[stage] == before.seconds[stage] for stage in same)


def test_a_face_that_was_not_restored_cannot_be_put_in(pair: Done) -> None:
    with pytest.raises(OptionsError, match=r"Face 3 of “two\.png” was not restored"):
        pair.again(0, 2)


def test_faces_left_alone_have_no_layer(engine: LocalEngine, save: Save) -> None:
    sharp = group(2, 900, 600)
    blurred = sharp.copy()
    blurred[:, :450] = cv2.GaussianBlur(sharp[:, :450], (0, 0), 8)
    source = save("half.png", blurred)
    done = enhance(engine, source, replace(OPTIONS, size="1x"))
    report = done.result.report
    assert len(report.faces) == 2
    (index,) = report.restored
    assert report.faces[index].center[0] < 450
    assert done.again(index).data == done.result.data
    with pytest.raises(OptionsError):
        done.again(1 - index)


def test_only_those_who_ask_get_layers(engine: LocalEngine, save: Save) -> None:
    (silent,) = engine.run([Source.of(SAMPLE)], OPTIONS)
    assert isinstance(silent, Result)
    assert silent.layers is None
    landscape = save("landscape.png", np.ascontiguousarray(astronaut()[380:, :200]))
    for source, options in ((landscape, OPTIONS), (Source.of(SAMPLE), replace(OPTIONS, weight=0))):
        done = enhance(engine, source, options)
        assert done.result.report.restored == ()
        assert done.result.layers is None


def test_damaged_layers_are_recognized(pair: Done) -> None:
    layers = pair.result.layers
    assert layers is not None
    places = np.random.default_rng(2).integers(0, len(layers), 200)
    damaged = [b"", b"PK", layers[:-1], layers[: len(layers) // 2], layers + b"\0"]
    for place in (0, 3, 4, len(layers) - 1, *places.tolist()):
        damaged.append(layers[:place] + bytes([layers[place] ^ 16]) + layers[place + 1 :])
    for blob in damaged:
        with pytest.raises(LayersDamaged, match=r"faces of “two\.png” are damaged"):
            replace(pair, result=replace(pair.result, layers=blob)).again(0)


def test_layers_belong_to_one_photo(pair: Done, tmp_path: Path) -> None:
    with pytest.raises(LayersDamaged):
        replace(pair, source=Source(SAMPLE, "two.png")).again(0)
    with pytest.raises(UnreadablePhoto, match="gone"):
        replace(pair, source=Source.of(tmp_path / "gone.png")).again(0)
