"""Models for old photos in the models folder, LaMa and DDColor: with random weights, as nobody can
download theirs where the tests run."""

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
import spandrel.architectures as spandrel
import spandrel_extra_arches.architectures as extra
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage.color import rgb2lab
from torch import nn

from benchmarks.photos import Rgb, hopper
from enhance.cli import main
from enhance.engines.local import LocalEngine
from enhance.errors import Cancelled, OptionsError
from enhance.limits import Limits
from enhance.models.catalogue import option_values
from enhance.models.folder import models_folder, refused
from enhance.models.foreign import read_model
from enhance.options import Options, Setup
from enhance.pipeline import enhancer as pipeline
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import load_enhancer
from enhance.pipeline.layers import repaste
from enhance.pipeline.model_choice import resolve
from enhance.records import Mask, Photo, Result
from enhance.repair.colorize import recolored
from enhance.repair.fill import fill, wide_parts
from enhance.repair.tone import Fading, judge
from tests.conftest import Save
from tests.pictures import as_photo, gamma, gray_profile

CPU = Setup(device="cpu", precision="fp32")
PLAIN = Options(restorer="none", background="lanczos", size="1x")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The models folder, with one of each kind."""
    root = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENHANCE_WEIGHTS_DIR", str(root / "weights"))
        patch.delenv("ENHANCE_MODELS_DIR", raising=False)
        assert models_folder() == root / "models"
        models_folder().mkdir()
        drop("big-lama.safetensors", initialized(spandrel.LaMa.LaMa(in_nc=4)))
        net = extra.DDColor.DDColor(
            encoder_name="convnext-t", num_output_channels=2, last_norm="Spectral", dec_layers=1
        )
        initialized(net)
        with torch.no_grad():  # random colors are far outside of any gamut
            strength = float(net.eval()(torch.rand(1, 3, 256, 256)).abs().mean())
            net.refine_net[0][0].weight_u.mul_(strength / 15)
        drop("ddcolor.safetensors", net)
        yield models_folder()


def initialized(net: nn.Module) -> nn.Module:
    """The network with random weights that make a difference."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and not hasattr(module, "weight_orig"):
            nn.init.kaiming_uniform_(module.weight)
    return net


def drop(name: str, net: nn.Module) -> None:
    state = {key: value.clone().contiguous() for key, value in net.state_dict().items()}
    save_file(state, models_folder() / name)


@pytest.fixture(scope="module")
def own(folder: Path) -> ResidentModels:
    return ResidentModels(CPU)


@pytest.fixture(scope="module")
def old(folder: Path) -> Iterator[LocalEngine]:
    with closing(LocalEngine(lambda: load_enhancer(CPU, Limits()), Limits())) as engine:
        yield engine


def gray(photo: Rgb) -> Rgb:
    return np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)


def torn() -> tuple[Rgb, Mask]:
    """A photo, and marks: a hole of 40 pixels with a scratch that leads to it."""
    photo = hopper()[:200, :240].copy()
    mask = np.zeros(photo.shape[:2], bool)
    mask[80:120, 60:100] = True
    mask[98:101, 100:230] = True
    return photo, mask


def test_they_are_found_and_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not refused()
    assert option_values("fill") == ["auto", "opencv", "big-lama.safetensors"]
    assert "ddcolor.safetensors" not in option_values("background")
    assert resolve(Options(), "cpu")[0].fill == "big-lama.safetensors"
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "LaMa: fills in wide damage." in listed
    assert "DDColor: gives gray photos colors." in listed


def test_without_them_opencv_fills_and_nothing_is_colored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENHANCE_MODELS_DIR", str(tmp_path))
    assert resolve(Options(), "cpu")[0].fill == "opencv"
    with pytest.raises(OptionsError, match="DDColor"):
        Options(colorize=0.5)
    with pytest.raises(OptionsError, match="fill must be one of"):
        Options(fill="big-lama.safetensors")


# --- LaMa -----------------------------------------------------------------------------------------


def test_what_is_wide_is_told_from_scratches() -> None:
    _, mask = torn()
    wide = wide_parts(mask)
    assert wide[80:120, 60:100].mean() > 0.95
    assert not wide[:, 130:].any()
    assert not (wide & ~mask).any()
    corner = np.zeros((50, 50), bool)
    corner[:12, :12] = True  # cut off by the border
    assert wide_parts(corner)[:8, :8].all()


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_lama_fills_what_is_wide_and_opencv_the_rest(own: ResidentModels, depth: type) -> None:
    photo, mask = torn()
    photo = photo if depth is np.uint8 else photo.astype(np.uint16) * 257
    top = np.iinfo(depth).max
    filled = own.filler("big-lama.safetensors")(as_photo(photo), mask, lambda: None).rgb
    wide = wide_parts(mask)
    assert filled.dtype == depth
    assert np.array_equal(filled[~mask], photo[~mask])
    found: Any = read_model(models_folder() / "big-lama.safetensors")
    found.model.eval()
    seen = torch.from_numpy(photo.astype(np.float32) / top).permute(2, 0, 1)[None]
    with torch.inference_mode():
        theirs = found(seen, torch.from_numpy(mask)[None, None].float())[0].permute(1, 2, 0)
    assert np.abs(filled[wide] / top - theirs.numpy()[wide]).max() <= 1.01 / 255
    thin = mask & ~wide
    assert np.array_equal(filled[thin], fill(filled, thin)[thin])


def test_gray_stays_gray_and_scratches_alone_need_no_model(own: ResidentModels) -> None:
    photo, mask = torn()
    filler = own.filler("big-lama.safetensors")
    filled = filler(as_photo(gray(photo)), mask, lambda: None).rgb
    assert (filled == filled[..., :1]).all()
    mask[:, :110] = False

    def stop() -> None:
        raise Cancelled

    assert np.array_equal(filler(as_photo(photo), mask, stop).rgb, fill(photo, mask))
    photo, mask = torn()
    with pytest.raises(Cancelled):
        filler(as_photo(photo), mask, stop)


# --- DDColor --------------------------------------------------------------------------------------


def test_colors_have_the_lightness_of_the_gray_and_the_chroma_that_was_asked_for() -> None:
    levels = np.repeat(np.arange(256, dtype=np.float32)[:, None, None], 3, 2) / 255
    for chroma in ([20, 10], [-30, 25], [5, -40], [120, 120], [-200, 90]):
        made = recolored(levels, np.full((256, 1, 2), chroma, np.float32))
        lab = rgb2lab(made)
        assert np.abs(lab[..., 0] - rgb2lab(levels)[..., 0]).max() < 0.02
        rounded = rgb2lab(np.rint(made * 255) / 255)
        assert np.abs(rounded[..., 0] - rgb2lab(levels)[..., 0]).max() < 0.4  # a level is 0.4
    mild = rgb2lab(recolored(levels[128:129], np.full((1, 1, 2), [20, 10], np.float32)))
    assert mild[0, 0, 1:] == pytest.approx([20, 10], abs=0.1)


def colorised(old: LocalEngine, source: Any, **options: Any) -> Result:
    (result,) = old.run([source], replace(PLAIN, **options), viewed=True)
    assert isinstance(result, Result), result
    return result


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_gray_photo_gets_colors(old: LocalEngine, save: Save, channels: int) -> None:
    photo = gray(hopper())
    source = save("old.png", photo[..., 0] if channels == 1 else photo)
    result = colorised(old, source, colorize=1)
    assert result.report.colorized == 1
    assert result.report.seconds["colorize"] > 0
    image = opened(result.data)
    assert image.mode == "RGB"
    lab = rgb2lab(np.asarray(image))
    assert np.abs(lab[..., 0] - rgb2lab(photo)[..., 0]).max() < 0.5
    assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 3
    assert result.views is not None
    assert opened(result.views.thumbnail).mode == "RGB"
    half = rgb2lab(np.asarray(opened(colorised(old, source, colorize=0.5).data)))
    assert np.abs(half[..., 1:]).mean() < 0.8 * np.abs(lab[..., 1:]).mean()


def test_the_colors_are_those_of_the_network(own: ResidentModels) -> None:
    photo = cv2.resize(gray(hopper()), (512, 512))
    net: Any = read_model(models_folder() / "ddcolor.safetensors").model
    with torch.inference_mode():
        chroma = net.eval()(torch.from_numpy(photo / np.float32(255)).permute(2, 0, 1)[None])
    wanted = chroma[0].permute(1, 2, 0).numpy() * 0.3
    lab = rgb2lab(own.colorizer(as_photo(np.asarray(photo)), 0.3, lambda: None).rgb)
    likely = (np.abs(lab[..., 0] - 55) < 20) & (np.hypot(*np.moveaxis(wanted, -1, 0)) < 20)
    assert likely.mean() > 0.05
    assert np.abs(lab[..., 1:] - wanted)[likely].mean() < 0.6


def test_a_gray_profile_gives_way_to_srgb(old: LocalEngine, save: Save) -> None:
    source = save("old.tif", gray(hopper())[..., 0], icc_profile=gray_profile(gamma(1.8)))
    image = opened(colorised(old, source, colorize=1).data)
    assert image.mode == "RGB"
    assert not image.info.get("icc_profile")


def test_photos_with_colors_keep_them(old: LocalEngine, save: Save) -> None:
    result = colorised(old, save("new.png", skimage.data.coffee()), colorize=1)
    assert np.array_equal(np.asarray(opened(result.data)), skimage.data.coffee())
    assert result.report.colorized == 0
    assert any("colors of its own" in note for note in result.report.notes)


def test_a_photo_is_judged_once(
    old: LocalEngine, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Fading] = []

    def judge_and_count(photo: Photo) -> Fading:
        judged.append(judge(photo))
        return judged[-1]

    monkeypatch.setattr(pipeline, "judge", judge_and_count)
    result = colorised(old, save("old.png", gray(hopper())), tone="on", colorize=1)
    assert result.report.colorized == 1
    assert len(judged) == 1


def test_layers_of_a_photo_with_new_colors(old: LocalEngine, save: Save) -> None:
    source = save("old.jpg", gray(hopper()[::3, ::3])[..., 0], quality=95)
    options = replace(PLAIN, background="compact", background_weight=0.5, colorize=0.8)
    (result,) = old.run([source], options, viewed=True)
    assert isinstance(result, Result) and result.layers
    again = repaste(source, result.layers, result.report, options, Limits(), ())
    assert again.data == result.data


def test_coloring_can_be_stopped(own: ResidentModels) -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        own.colorizer(as_photo(gray(hopper())), 1, stop)
