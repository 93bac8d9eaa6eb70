"""Against GFPGAN's and Real-ESRGAN's own packages: same weights, same photo, same run.

    python -m benchmarks.reference [--json FILE] [--plot FILE] [--quick]

The weights are random and saved in upstream's format, so nothing is downloaded; what they draw is
noise, but it costs what the real ones cost. Upstream runs its own RetinaFace and ParseNet; as these
find nothing with random weights, their findings are replaced by ours after the work is done.
Real-ESRGAN has its real weights, the bundled ones.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch
from torch import nn

from benchmarks.memory import forget_peak, in_use, peak
from benchmarks.photos import Rgb, group, times
from benchmarks.tables import Row, Table, arguments, show
from benchmarks.upstream import prepare
from enhance.files import sha256
from enhance.limits import Limits
from enhance.models.catalogue import MODELS, weight_files
from enhance.models.files import X4PLUS_BIN
from enhance.models.ncnn import load_ncnn
from enhance.networks.resident import Device
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import load_enhancer
from enhance.pipeline.protocols import Upscaler
from enhance.records import Face, Photo
from enhance.web.page.presets import PRESETS

GFLOP_PER_FACE = 395


def random_gfpgan(seed: int = 0) -> nn.Module:
    """Upstream's module as for its released weights, with random ones that draw varied pictures."""
    prepare()
    from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean

    torch.manual_seed(seed)
    module = GFPGANv1Clean(
        out_size=512,
        num_style_feat=512,
        channel_multiplier=2,
        decoder_load_path=None,
        fix_decoder=False,
        num_mlp=8,
        input_is_latent=True,
        different_w=True,
        narrow=1,
        sft_half=True,
    )
    return module.eval()  # type: ignore[no-any-return]


def save_reference_weights(folder: Path, gfpgan: nn.Module) -> Path:
    """Checkpoints of the whole reference where upstream looks for them, under `folder`.

    Returns the path of GFPGAN's own.
    """
    prepare()
    from facexlib.detection.retinaface import RetinaFace
    from facexlib.parsing.parsenet import ParseNet

    home = folder / "gfpgan" / "weights"
    home.mkdir(parents=True)
    files = weight_files()
    torch.manual_seed(1)
    detector = RetinaFace(network_name="resnet50", device="cpu")
    for head in (detector.BboxHead, detector.ClassHead, detector.LandmarkHead):
        for weights in head.parameters():  # random heads see boxes the size of a town
            weights.data *= 1e-3
    parser = ParseNet(in_size=512, out_size=512, parsing_ch=19)
    torch.save(detector.state_dict(), home / files["retinaface-r50"].filename)
    torch.save(parser.state_dict(), home / files["parsenet"].filename)
    path = home / files["gfpgan-1.4"].filename
    torch.save({"params_ema": gfpgan.state_dict()}, path)
    return path


@contextlib.contextmanager
def trusted(folder: Path) -> Iterator[None]:
    """Take the weights in `folder` for the catalogue's, whatever their hashes."""
    rows, setting = dict(MODELS), os.environ.get("ENHANCE_WEIGHTS_DIR")
    os.environ["ENHANCE_WEIGHTS_DIR"] = str(folder)
    for name, file in weight_files().items():
        path = folder / file.filename
        if path.exists():
            ours = replace(file, size=path.stat().st_size, sha256=sha256(path))
            MODELS[name] = replace(MODELS[name], weights=ours)
    try:
        yield
    finally:
        MODELS.update(rows)
        if setting is None:
            del os.environ["ENHANCE_WEIGHTS_DIR"]
        else:
            os.environ["ENHANCE_WEIGHTS_DIR"] = setting


def repair_nms() -> None:
    """facexlib's detector calls torchvision's compiled NMS, which a torchvision that does not
    belong to this torch lacks; OpenCV's does the same."""
    prepare()
    from facexlib.detection import retinaface
    from torchvision.extension import _has_ops

    def nms(boxes: Any, overlap: float) -> list[int]:
        corners = np.hstack([boxes[:, :2], boxes[:, 2:4] - boxes[:, :2]])
        kept = cv2.dnn.NMSBoxes(corners.tolist(), boxes[:, 4].tolist(), 0.0, overlap)
        return [int(i) for i in np.ravel(kept)]

    if not _has_ops():
        retinaface.py_cpu_nms = nms


def upstream_upscaler(folder: Path) -> Any:
    """A RealESRGANer with the bundled weights, which it finds below `folder`."""
    prepare()
    from basicsr.archs.rrdbnet_arch import RRDBNet
    from realesrgan import RealESRGANer

    net = RRDBNet(3, 3, scale=4)
    load_ncnn(net, X4PLUS_BIN.read())
    path = folder / "x4plus.pth"
    torch.save({"params_ema": net.state_dict()}, path)
    return RealESRGANer(4, str(path), model=RRDBNet(3, 3, scale=4), device=torch.device("cpu"))


def upstream_restorer(
    folder: Path, checkpoint: Path, faces: list[Face], upscale: int, background: Any = None
) -> Any:
    """A GFPGANer over the weights saved in `folder`, which finds `faces`.

    background: a RealESRGANer; None: it interpolates.
    """
    repair_nms()
    from gfpgan import GFPGANer

    here = Path.cwd()
    os.chdir(folder)  # it looks for its other weights below the current folder
    try:
        restorer = GFPGANer(
            str(checkpoint), upscale=upscale, bg_upsampler=background, device=torch.device("cpu")
        )
    finally:
        os.chdir(here)
    own = restorer.face_helper.face_det.detect_faces
    rows = [[*face.box, face.score, *np.ravel(face.landmarks)] for face in faces]

    def detect(image: Rgb, threshold: float) -> Any:
        own(image, threshold)
        return np.array(rows, np.float32)

    restorer.face_helper.face_det.detect_faces = detect
    return restorer


def seconds(work: Callable[[], object], repeat: int = 3) -> float:
    """The best of several runs: what the machine can do when nobody else disturbs it."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def convolution_peak(device: Device) -> float:
    """GFLOP/s that this machine reaches in the convolution it likes best."""
    best = 0.0
    for channels, edge in ((256, 64), (512, 32), (128, 128)):
        net = device.settle(nn.Conv2d(channels, channels, 3, 1, 1))
        x = device.put(np.zeros((1, edge, edge, channels), np.float32))
        with torch.inference_mode():
            once = seconds(lambda net=net, x=x: net(x), repeat=10)  # type: ignore[misc]
        best = max(best, 2 * 9 * channels**2 * edge**2 / once / 1e9)
    return best


class Setting:
    """The reference's weights on disk, taken for the catalogue's while the block lasts."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Setting:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.module = random_gfpgan()
        self.checkpoint = save_reference_weights(self.folder, self.module)
        self._stack.enter_context(trusted(self.checkpoint.parent))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def whole_photo(self, rgb: Rgb, background: str = "lanczos") -> Pair:
        """Both sides' work on a photo, ×2."""
        enhancer = load_enhancer(Setup(), Limits())
        photo = Photo("group", rgb, "PNG")
        upscale = 2
        options = Options(size=f"{upscale}x", background=background, repair="off", tone="off")
        plain = replace(options, weight=0, background="lanczos")
        found = list(enhancer(photo, plain, lambda: None).report.faces)
        upscaler = None if background == "lanczos" else upstream_upscaler(self.folder)
        upstream = upstream_restorer(self.folder, self.checkpoint, found, upscale, upscaler)
        bgr = np.ascontiguousarray(rgb[..., ::-1])

        def ours() -> dict[str, float]:
            enhanced = enhancer(photo, options, lambda: None)
            start = time.perf_counter()
            enhanced.pasted()
            return enhanced.report.seconds | {"paste": time.perf_counter() - start}

        return Pair(len(found), lambda: _stages_there(upstream, bgr), ours)


@dataclass(frozen=True)
class Pair:
    """The same work by upstream and by us; each returns its seconds by stage."""

    faces: int
    theirs: Callable[[], dict[str, float]]
    ours: Callable[[], dict[str, float]]


def _stages_there(upstream: Any, bgr: Rgb) -> dict[str, float]:
    """Enhance with a GFPGANer; seconds by our names for the stages."""
    helper = upstream.face_helper
    stages: dict[str, float] = {}

    def timed(stage: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **named)
            finally:
                stages[stage] = stages.get(stage, 0.0) + time.perf_counter() - start

        return run

    watched = [
        (helper, "get_face_landmarks_5", "detect"),
        (helper, "get_inverse_affine", "paste"),
        (helper, "paste_faces_to_input_image", "paste"),
    ]
    if upstream.bg_upsampler is not None:
        watched.append((upstream.bg_upsampler, "enhance", "upscale"))
    with contextlib.ExitStack() as stack:
        for owner, method, stage in watched:
            stack.enter_context(patch.object(owner, method, timed(stage, getattr(owner, method))))
        start = time.perf_counter()
        upstream.enhance(bgr)
        total = time.perf_counter() - start
    return stages | {"restore": total - sum(stages.values())}


def _total(stages: dict[str, float]) -> float:
    return sum(stages.values())


def _row(what: str, theirs: float, ours: float) -> Row:
    return {
        "what": what,
        "upstream": round(theirs, 3),
        "here": round(ours, 3),
        "ratio": round(theirs / ours, 2),
    }


def networks(setting: Setting, precisions: tuple[str, ...], repeat: int) -> list[Row]:
    """GFPGAN's network alone, one face; and how near it comes to what the machine can do."""
    crop = np.random.default_rng(0).random((1, 512, 512, 3), np.float32)
    x = torch.from_numpy(crop).permute(0, 3, 1, 2).contiguous() * 2 - 1
    rows = []
    for precision in precisions:
        setup = Setup(precision=precision)  # type: ignore[arg-type]
        models = ResidentModels(setup)
        net = models.restorer("gfpgan-1.4")
        with torch.inference_mode():
            theirs = seconds(lambda: setting.module(x, return_rgb=False), repeat)
        ours = seconds(lambda net=net: net(crop, lambda: None), repeat)  # type: ignore[misc]
        share = GFLOP_PER_FACE / ours / convolution_peak(Device.of(setup))
        rows.append(
            _row(f"network, {models.precision}", theirs, ours)
            | {"share of the machine's peak": f"{share:.0%}"}
        )
    return rows


def photos(
    setting: Setting, faces: tuple[int, ...], size: tuple[int, int], repeat: int
) -> tuple[list[Row], list[Row]]:
    """Whole photos, one row per number of faces; and the first of them stage by stage."""
    whole: list[Row] = []
    stages: list[Row] = []
    for count in faces:
        pair = setting.whole_photo(group(count, *size))
        times = range(repeat if count == 1 else 1)
        theirs = min((pair.theirs() for _ in times), key=_total)
        ours = min((pair.ours() for _ in times), key=_total)
        what = f"{size[0]}×{size[1]}, ×2, {pair.faces} face{'s' * (pair.faces != 1)}"
        whole.append(_row(what, _total(theirs), _total(ours)))
        stages = stages or [
            _row("find faces", theirs["detect"], ours["detect"]),
            _row("align and restore", theirs["restore"], ours["restore"]),
            _row("enlarge and paste", theirs["paste"], ours["upscale"] + ours["paste"]),
        ]
    return whole, stages


def backgrounds(setting: Setting, edge: int, repeat: int) -> list[Row]:
    """Model backgrounds: the upscalers alone, and a photo with one face."""
    rgb = group(1, edge, edge)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    upstream = upstream_upscaler(setting.folder)
    models = ResidentModels(Setup())
    theirs = seconds(lambda: upstream.enhance(bgr, outscale=2), repeat)
    sent, size, tile = Photo("photo", rgb, "PNG"), times(rgb, 2), Options().tile
    alone = [
        _row(
            f"{name} alone, {edge}×{edge}, ×2",
            theirs,
            seconds(
                lambda name=name: models.upscaler(name)(sent, size, tile, lambda: None),  # type: ignore[misc]
                repeat,
            ),
        )
        for name in ("realesrgan", "compact")
    ]
    pair = setting.whole_photo(rgb, "realesrgan")
    photo = _row(
        f"{edge}×{edge}, ×2, {pair.faces} face, Real-ESRGAN behind",
        min(_total(pair.theirs()) for _ in range(repeat)),
        min(_total(pair.ours()) for _ in range(repeat)),
    )
    return [*alone, photo]


def whole_backgrounds(precisions: tuple[str, ...], edge: int, repeat: int) -> list[Row]:
    """Our own ways to enlarge a photo: seconds a megapixel of it."""
    rgb = group(4, edge, edge)
    photo = Photo("photo", rgb, "PNG")
    rows: list[Row] = []
    for precision in precisions:
        models = ResidentModels(Setup(precision=precision))  # type: ignore[arg-type]
        spent = []
        for name in ("realesrgan", "compact"):
            upscaler = models.upscaler(name)

            def run(upscaler: Upscaler = upscaler) -> None:
                upscaler(photo, times(rgb, 2), Options().tile, lambda: None)

            spent.append(seconds(run, repeat) / (edge * edge / 1e6))
            rows.append(
                {
                    "what": f"{name}, {models.precision}",
                    "s per megapixel": round(spent[-1], 2),
                    "ratio": round(spent[0] / spent[-1], 1),
                }
            )
    return rows


def everyday(size: tuple[int, int], repeat: int, setup: Setup | None = None) -> list[Row]:
    """A photo with one face through the default options, and as an old photo."""
    enhancer = load_enhancer(setup or Setup(), Limits())
    photo = Photo("photo", group(1, *size), "PNG")
    rows: list[Row] = []
    for what, options in (("defaults", Options()), ("old photo", PRESETS["old"])):

        def run(options: Options = options) -> None:
            enhancer(photo, options, lambda: None).pasted()

        rows.append(
            {"what": f"{size[0]}×{size[1]}, ×2, {what}", "s": round(seconds(run, repeat), 2)}
        )
    return rows


def memory(faces: int) -> list[Row]:
    """Working memory, each side in a fresh process."""
    megabytes = []
    for upstream_too in (True, False):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            megabytes.append(pool.submit(_working_megabytes, upstream_too, faces).result())
    return [_row(f"1080×1440, ×2, {faces} face", *megabytes)]


def measure(quick: bool) -> list[Table]:
    repeat = 1 if quick else 3
    precisions, faces = (("auto",), (1,)) if quick else (("fp32", "auto"), (1, 8))
    size, edge = ((270, 360), 32) if quick else ((1080, 1440), 256)
    with Setting() as setting:
        network = networks(setting, precisions, repeat)
        whole, stages = photos(setting, faces, size, repeat)
        behind = backgrounds(setting, edge, repeat)
    own = whole_backgrounds(precisions, 2 * edge, 1 if quick else 2)
    tables = [
        Table("GFPGAN's network, s", network),
        Table("Whole photo, s", whole),
        Table("Stage by stage, one face, s", stages, "what", ("upstream", "here")),
        Table("Model background, s", behind),
        Table("Our own backgrounds", own),
        Table("Everyday photos without a download, s", everyday(size, repeat)),
    ]
    return tables if quick else [*tables, Table("Working memory, MB", memory(1))]


def _working_megabytes(upstream: bool, count: int) -> float:
    """Most memory that one side's work takes on top of what the loaded models take."""
    with Setting() as setting:
        pair = setting.whole_photo(group(count))
        forget_peak()
        before = in_use()
        (pair.theirs if upstream else pair.ours)()
        return peak() - before


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
