"""Against GFPGAN's own package: same weights, same photo, same run.

    python -m benchmarks.reference [--json FILE] [--faces 1 8]

The weights are random and saved in upstream's format, so nothing is downloaded; what they draw is
noise, but it costs what the real ones cost. Upstream runs its own RetinaFace and ParseNet; as these
find nothing with random weights, their findings are replaced by ours after the work is done.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from benchmarks.photos import Rgb, group
from enhance.build import ResidentModels, load_enhancer, upstream_gfpgan
from enhance.catalogue import CATALOGUE
from enhance.compat import prepare
from enhance.records import Face, Limits, Options, Photo, Setup
from enhance.tensors import Place

GFLOP_PER_FACE = 395


def random_gfpgan(seed: int = 0) -> nn.Module:
    """Upstream's module at full size with random weights that draw varied pictures."""
    torch.manual_seed(seed)
    return upstream_gfpgan().eval()


def save_reference_weights(folder: Path, gfpgan: nn.Module) -> Path:
    """Checkpoints of the whole reference where upstream looks for them, under `folder`.

    Returns the path of GFPGAN's own.
    """
    prepare()
    from facexlib.detection.retinaface import RetinaFace
    from facexlib.parsing.parsenet import ParseNet

    home = folder / "gfpgan" / "weights"
    home.mkdir(parents=True)
    torch.manual_seed(1)
    detector = RetinaFace(network_name="resnet50", device="cpu")
    for head in (detector.BboxHead, detector.ClassHead, detector.LandmarkHead):
        for weights in head.parameters():  # random heads see boxes the size of a town
            weights.data *= 1e-3
    parser = ParseNet(in_size=512, out_size=512, parsing_ch=19)
    torch.save(detector.state_dict(), home / CATALOGUE["retinaface-r50"].filename)
    torch.save(parser.state_dict(), home / CATALOGUE["parsenet"].filename)
    path = home / CATALOGUE["gfpgan-1.4"].filename
    torch.save({"params_ema": gfpgan.state_dict()}, path)
    return path


@contextlib.contextmanager
def trusted(folder: Path) -> Iterator[None]:
    """Take the weights in `folder` for the catalogue's, whatever their hashes."""
    rows, setting = dict(CATALOGUE), os.environ.get("ENHANCE_WEIGHTS_DIR")
    os.environ["ENHANCE_WEIGHTS_DIR"] = str(folder)
    for name, row in rows.items():
        path = folder / row.filename
        if path.exists():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            CATALOGUE[name] = replace(row, size=path.stat().st_size, sha256=digest)
    try:
        yield
    finally:
        CATALOGUE.update(rows)
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


def upstream_restorer(folder: Path, checkpoint: Path, faces: list[Face], upscale: int) -> Any:
    """A GFPGANer over the weights saved in `folder`, which finds `faces`."""
    repair_nms()
    from gfpgan import GFPGANer

    here = Path.cwd()
    os.chdir(folder)  # it looks for its other weights below the current folder
    try:
        restorer = GFPGANer(str(checkpoint), upscale=upscale, device=torch.device("cpu"))
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


def convolution_peak(place: Place) -> float:
    """GFLOP/s that this machine reaches in the convolution it likes best."""
    best = 0.0
    for channels, edge in ((256, 64), (512, 32), (128, 128)):
        net = place.settle(nn.Conv2d(channels, channels, 3, 1, 1))
        x = place.put(np.zeros((1, edge, edge, channels), np.float32))
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

    def whole_photo(self, count: int) -> tuple[int, Callable[[], object], Callable[[], object]]:
        """(faces found, upstream's work, ours) on a 1080×1440 photo with `count` faces, ×2."""
        enhancer = load_enhancer(Setup(), Limits())
        rgb = group(count)
        photo = Photo("group", rgb, "PNG")
        options = Options(upscale=2, background="lanczos")
        found = list(enhancer(photo, replace(options, weight=0), lambda: None).report.faces)
        upstream = upstream_restorer(self.folder, self.checkpoint, found, options.upscale)
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        return (
            len(found),
            lambda: upstream.enhance(bgr),
            lambda: enhancer(photo, options, lambda: None).pasted(),
        )


def measure(face_counts: list[int]) -> list[dict[str, Any]]:
    """One row per comparison: what, upstream, here, ratio."""
    rows: list[dict[str, Any]] = []

    def row(what: str, theirs: float, ours: float, **more: Any) -> None:
        ratio = round(theirs / ours, 2)
        rows.append(
            {"what": what, "upstream": round(theirs, 3), "ours": round(ours, 3), "ratio": ratio}
            | more
        )
        print(rows[-1], flush=True)

    with Setting() as setting:
        crop = np.random.default_rng(0).random((1, 512, 512, 3), np.float32)
        x = torch.from_numpy(crop).permute(0, 3, 1, 2).contiguous() * 2 - 1
        for precision in ("fp32", "auto"):
            models = ResidentModels(Setup(precision=precision))  # type: ignore[arg-type]
            net = models.restorer("gfpgan-1.4")
            with torch.inference_mode():
                theirs = seconds(lambda: setting.module(x, return_rgb=False))
            ours = seconds(lambda net=net: net(crop, lambda: None), 5)  # type: ignore[misc]
            peak = convolution_peak(Place.of(Setup(precision=precision)))  # type: ignore[arg-type]
            share = round(GFLOP_PER_FACE / ours / peak, 2)
            row(f"network, {models.precision}, s", theirs, ours, share_of_peak=share)
        for count in face_counts:
            found, upstream, here = setting.whole_photo(count)
            repeat = 2 if count == 1 else 1
            what = f"photo of 1080×1440, ×2, {found} faces, s"
            row(what, seconds(upstream, repeat), seconds(here, 3 * repeat))
    megabytes = []
    for upstream_too in (True, False):  # each in a fresh process
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            work = pool.submit(_working_megabytes, upstream_too, face_counts[0])
            megabytes.append(work.result())
    row(f"the same with {face_counts[0]}, working memory, MB", *megabytes)
    return rows


def _working_megabytes(upstream: bool, count: int) -> float:
    """Most memory that one side's work takes on top of what the loaded models take."""
    with Setting() as setting:
        _, theirs, ours = setting.whole_photo(count)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far (Linux)
        before = _memory("VmRSS")
        (theirs if upstream else ours)()
        return _memory("VmHWM") - before


def _memory(key: str) -> float:
    status = Path("/proc/self/status").read_text()
    return float(status.split(f"{key}:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--faces", type=int, nargs="+", default=[1, 8])
    wanted = parser.parse_args()
    rows = measure(wanted.faces)
    print("\n| what | GFPGANer | here | ratio |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['what']} | {row['upstream']} | {row['ours']} | {row['ratio']} |")
    if wanted.json:
        wanted.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
