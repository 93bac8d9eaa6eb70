"""Old prints made whole: real weights, real photos."""

import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import skimage.data
import torch
from PIL import Image

from benchmarks.photos import Rgb, astronaut, hopper
from enhance.engines.local import LocalEngine
from enhance.errors import Cancelled
from enhance.limits import Limits
from enhance.networks.damage import DamageNet
from enhance.options import Options
from enhance.photos.color import color_space
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhancer
from enhance.pipeline.layers import finish, repaste
from enhance.records import EngineInfo, Face, Mask, Photo, Result
from enhance.repair import detect
from enhance.repair.fill import fill
from enhance.repair.marks import damage_mask, spare_faces
from enhance.repair.tone import judge, tone
from tests.conftest import Save
from tests.pictures import as_photo, gamma, rgb_profile
from training.detect import train
from training.evaluate_repair import damaged, faded, psnr

OLD = Options(repair="on", tone="on", restorer="none", background="lanczos", size="1x")


def marks(models: ResidentModels, rgb: Rgb, sensitivity: float = 0.5) -> Mask:
    likelihood = models.damage_detector(as_photo(rgb), lambda: None)
    found = damage_mask(likelihood, sensitivity)
    return spare_faces(found, likelihood, models.detector("retinaface-mobilenet")(rgb, 0.5))


def undone(rgb: Rgb) -> Rgb:
    photo = as_photo(rgb)
    return tone(photo, judge(photo)).rgb


def enhance(models: ResidentModels, photo: Photo, options: Options = OLD) -> tuple[Rgb, float]:
    enhancer = Enhancer(models, Limits(), EngineInfo("cpu", "fp32", 0))
    done = enhancer(photo, options, lambda: None)
    return done.pasted(), done.report.repaired


# --- Finding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("photo", [astronaut(), hopper()], ids=["astronaut", "hopper"])
def test_thin_scratches_are_found(models: ResidentModels, photo: Rgb) -> None:
    scratched, truth, near = damaged(photo, "thin scratches", seed=1)
    found = marks(models, scratched)
    assert (found & truth).sum() >= 0.75 * truth.sum()
    assert (found & ~near).mean() <= 0.02


@pytest.mark.parametrize(
    ("photo", "most"),
    # Two of the cat's whiskers look like scratches.
    [(astronaut(), 0.01), (hopper(), 0.01), (skimage.data.chelsea(), 0.015)],
    ids=["astronaut", "hopper", "chelsea"],
)
def test_clean_photos_are_hardly_marked(models: ResidentModels, photo: Rgb, most: float) -> None:
    assert marks(models, photo).mean() <= most


def test_eyes_and_teeth_are_never_marked(models: ResidentModels) -> None:
    for photo in (astronaut(), hopper()):
        found = marks(models, photo)
        (face, *_) = models.detector("retinaface-mobilenet")(photo, 0.8)
        eyes, mouth = np.array(face.landmarks[:2]), np.array(face.landmarks[3:])
        reach = round(0.3 * float(np.linalg.norm(eyes[0] - eyes[1])))
        for x, y in np.rint([*eyes, mouth.mean(0)]).astype(int):
            assert not found[y - reach : y + reach, x - reach : x + reach].any()


def test_a_faces_own_features_are_not_marked() -> None:
    features = ((125.0, 150.0), (175.0, 150.0), (150.0, 180.0), (130.0, 215.0), (170.0, 215.0))
    face = Face((100, 100, 200, 240), 0.9, features)
    mask = np.zeros((300, 300), bool)
    mask[150, 120:180] = True  # lashes
    mask[200, 110:290] = True  # a scratch
    mask[20, 20:40] = True
    mask[118:121, 140:143] = True  # dust on the forehead
    mask[118:121, 170:173] = True  # what may be dust
    mask[214:217, 149:152] = True  # a glint on a tooth
    likelihood = mask.astype(np.uint8) * 255
    likelihood[118:121, 170:173] = 254
    mask[195:205, 140] = True  # a rim that the scratch crosses
    spared = spare_faces(mask, likelihood, [face])
    assert not spared[150].any()
    assert spared[119, 141] and not spared[119, 171] and not spared[215, 150]
    assert np.array_equal(spared[200], mask[200])
    assert not spared[195:199, 140].any() and not spared[202:, 140].any()
    assert np.array_equal(spared[20], mask[20])
    edge = Face((-50, 150, 150, 400), 0.9, features)
    assert np.array_equal(spare_faces(mask, likelihood, [edge])[200], mask[200])


def test_sensitivity_only_adds_marks(models: ResidentModels) -> None:
    scratched, *_ = damaged(hopper(), "medium", seed=2)
    likelihood = models.damage_detector(as_photo(scratched), lambda: None)
    none, some, more = (damage_mask(likelihood, s) for s in (0.0, 0.5, 1.0))
    assert not (none & ~some).any()
    assert not (some & ~more).any()
    assert none.sum() < some.sum() < more.sum()


def test_the_mask_does_not_depend_on_the_tiles(
    models_fp32: ResidentModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratched = as_photo(damaged(astronaut(), "medium", seed=3)[0])
    whole = models_fp32.damage_detector(scratched, lambda: None)
    monkeypatch.setattr(detect, "_TILE", 150)
    tiled = models_fp32.damage_detector(scratched, lambda: None)
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert whole.max() > 200


def test_the_network_sees_no_further_than_it_says() -> None:
    net = DamageNet()
    side = 2 * DamageNet.REACH + 5 * DamageNet.MULTIPLE
    picture = torch.rand(1, 3, side, side)
    edited = picture.clone()
    edited[..., :, : DamageNet.MULTIPLE] = 0
    with torch.inference_mode():
        changed = (net(picture) != net(edited)).any(2).flatten().nonzero()
    assert 0 < changed.max() <= DamageNet.MULTIPLE + DamageNet.REACH


@pytest.mark.parametrize("size", [(1, 1), (3, 17), (333, 251)])
def test_odd_sizes(models: ResidentModels, size: tuple[int, int]) -> None:
    photo = cv2.resize(astronaut(), size[::-1])
    assert models.damage_detector(as_photo(np.asarray(photo)), lambda: None).shape == size
    assert undone(photo).shape == photo.shape  # type: ignore[arg-type]


def test_the_search_can_be_stopped(models: ResidentModels) -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        models.damage_detector(as_photo(astronaut()), stop)


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    photos = [np.asarray(astronaut(), np.uint8)]
    train(photos, tmp_path / "stopped", steps=1, seed=0)
    weights = train(photos, tmp_path / "stopped", steps=2, seed=0)
    DamageNet().load_state_dict(safetensors.torch.load_file(weights))
    steps = (tmp_path / "stopped" / "log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in steps] == [1, 2]


# --- Filling --------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_what_is_marked_is_filled_and_nothing_else_changes(depth: type) -> None:
    scratched, truth, near = damaged(hopper(), "thin scratches", seed=1)
    photo = scratched if depth is np.uint8 else scratched.astype(np.uint16) * 257
    filled = fill(photo, near)
    assert filled.dtype == depth
    assert np.array_equal(filled[~near], photo[~near])
    seen = filled if depth is np.uint8 else (filled / 257).round().astype(np.uint8)
    assert psnr(seen, hopper(), truth) >= psnr(scratched, hopper(), truth) + 6


def test_16_bits_are_filled_with_values_between_those_of_8() -> None:
    ramp = np.repeat(np.linspace(20_000, 20_600, 200)[None, :, None], 60, 0)
    ramp = np.repeat(ramp, 3, 2).astype(np.uint16)
    mask = np.zeros(ramp.shape[:2], bool)
    mask[28:31] = True
    torn = ramp.copy()
    torn[mask] = 65_535
    assert np.abs(fill(torn, mask).astype(int) - ramp).max() <= 40


def test_a_photo_that_is_marked_all_over_stays() -> None:
    photo = astronaut()
    assert np.array_equal(fill(photo, np.ones(photo.shape[:2], bool)), photo)


# --- Tone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("photo", [astronaut(), hopper(), skimage.data.coffee()])
def test_faded_colors_come_back(photo: Rgb) -> None:
    errors: list[float] = []
    for picture in (old := faded(photo, seed=4), undone(old)):
        errors.append(float(np.abs(picture.astype(float) - photo).mean()))
    assert errors[1] <= errors[0] / 2


@pytest.mark.parametrize("photo", [astronaut(), hopper(), skimage.data.coffee()])
def test_clean_photos_keep_their_colors(photo: Rgb) -> None:
    assert np.abs(undone(photo).astype(int) - photo).mean() <= 2


def test_gray_photos_stay_neutral_and_sepia_becomes_so() -> None:
    gray = np.repeat(cv2.cvtColor(hopper(), cv2.COLOR_RGB2GRAY)[..., None], 3, 2) // 2 + 60
    toned = undone(gray)
    assert (toned == toned[..., :1]).all()
    assert np.ptp(toned) > np.ptp(gray) + 50
    sepia = (gray * np.array([1.05, 0.93, 0.76])).clip(0, 255).astype(np.uint8)
    assert np.ptp(undone(sepia).astype(int), axis=2).mean() < 3 < np.ptp(sepia, axis=2).mean()


def test_16_bits_are_toned_as_8_are_but_finer() -> None:
    old = faded(hopper(), seed=5)
    deep = old.astype(np.uint16) * 257
    toned = undone(deep)
    assert np.abs(toned / 257 - undone(old)).max() <= 2  # both are judged by rounded pixels
    assert len(np.unique(toned)) > 256


def test_colors_are_judged_and_changed_in_the_photos_own_space() -> None:
    icc = rgb_profile("adobe", gamma(2.2))
    space = color_space(icc)
    old = faded(hopper(), seed=6)
    own = np.rint(space.from_srgb(old.astype(np.float32) / 255) * 65535).astype(np.uint16)
    photo = replace(as_photo(own), icc=icc)
    toned = tone(photo, judge(photo)).rgb
    back = space.to_srgb(toned.astype(np.float32) / 65535) * 255
    assert np.abs(back - undone(old)).mean() < 1


def test_strength_lies_between_nothing_and_all() -> None:
    old = as_photo(faded(hopper(), seed=7))
    fading = judge(old)
    none, half, whole = (tone(old, fading, s).rgb.astype(int) for s in (0.0, 0.5, 1.0))
    assert np.array_equal(none, old.rgb)
    assert np.abs(half - (none + whole) / 2).max() <= 1.5


# --- In the pipeline ------------------------------------------------------------------------------


def test_an_old_print_is_repaired_and_toned(engine: LocalEngine, save: Save) -> None:
    old, *_ = damaged(faded(hopper(), seed=8), "medium", seed=8)
    source = save("old.png", old)
    (result,) = engine.run([source], OLD)
    assert 0 < result.report.repaired < 0.2  # type: ignore[union-attr]
    assert result.report.toned > 0.5  # type: ignore[union-attr]
    assert {"repair", "tone"} <= set(result.report.seconds)  # type: ignore[union-attr]
    (again,) = engine.run([source], OLD)
    assert again.data == result.data  # type: ignore[union-attr]


def test_nothing_is_repaired_unless_asked(models: ResidentModels) -> None:
    old, *_ = damaged(hopper(), "medium", seed=8)
    pixels, repaired = enhance(models, Photo("old", old, "PNG"), replace(OLD, repair="off"))
    assert repaired == 0
    assert np.array_equal(pixels, old)


def test_gray_photos_stay_gray_and_transparency_as_it_was(models: ResidentModels) -> None:
    old, *_ = damaged(hopper(), "light", seed=9)
    gray = np.repeat(cv2.cvtColor(old, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    alpha = np.tile(np.arange(gray.shape[1], dtype=np.uint8), (gray.shape[0], 1))
    photo = Photo("old", gray, "PNG", alpha=alpha, gray=True)
    enhancer = Enhancer(models, Limits(), EngineInfo("cpu", "fp32", 0))
    done = enhancer(photo, OLD, lambda: None)
    assert done.report.repaired > 0
    assert (done.canvas == done.canvas[..., :1]).all()
    data = finish(0, 1, OLD, photo, done, viewed=False).data
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)))[..., 1], alpha)


def test_faces_are_put_in_again_over_the_repaired_photo(engine: LocalEngine, save: Save) -> None:
    old, *_ = damaged(faded(astronaut()[:300, 60:400], seed=8), "light", seed=8)
    source = save("old.png", old)
    options = replace(OLD, restorer="bundled", background="compact", background_weight=0.5)
    (result,) = engine.run([source], options, viewed=True)
    report = result.report  # type: ignore[union-attr]
    again = repaste(
        source,
        result.layers,  # type: ignore[union-attr, arg-type]
        report,
        options,
        Limits(),
        report.restored,
    )
    assert again.data == result.data  # type: ignore[union-attr]


def test_the_photo_beside_the_result_is_the_one_before_its_repair(
    engine: LocalEngine, save: Save
) -> None:
    old = faded(astronaut()[:120, :160], seed=8)
    (result,) = engine.run([save("old.tif", old)], OLD, viewed=True)
    assert isinstance(result, Result) and result.views and result.views.before
    assert result.report.toned > 0
    with Image.open(io.BytesIO(result.views.before)) as before:
        shown = np.asarray(before).astype(int)
    assert np.abs(shown - old).mean() < 3, "a TIFF is shown as a copy: of the photo as it was sent"
