"""Make training data: damaged patches of photographs, and what Real-ESRGAN ×4 plus makes of them.

    python -m training.data PHOTOS OUT --shards 40

The teacher is what the product does with `background=realesrgan`: it works on each patch at the
size its detail asks for, and keeps the photo's low frequencies. A shard of 64 patches is a file
of its own, made from its own seed: run the command again to go on where it ended.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.photos import times
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.protocols import Upscaler
from training.degrade import degrade
from training.photos import Image, training_photos

EDGE = 96
"""Of a patch, in pixels; its target is four times as large."""
_SHARD = 64
_SIDES = (96, 144, 192, 256, 384, 512, 700)  # of the photo's part that becomes a patch


def teacher() -> Upscaler:
    """Real-ESRGAN ×4 plus, in the fastest precision of this machine."""
    return ResidentModels(Setup()).upscaler("realesrgan")


def taught(upscaler: Upscaler, patch: Image) -> Image:
    """What the teacher makes of a patch (h, w, 3): (4h, 4w, 3)."""
    options = Options(tile=max(patch.shape))
    return upscaler(patch, times(patch, 4), options, lambda: None).rgb


def random_patch(photo: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """A part of the photo, mirrored at random, as student and teacher see it (`degrade`)."""
    side = min(*photo.shape[:2], int(rng.choice(_SIDES)))
    top, left = (int(rng.integers(0, length - side + 1)) for length in photo.shape[:2])
    part = photo[top : top + side, left : left + side]
    return degrade(part[:, :: rng.choice((-1, 1))], EDGE, rng)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="where get_photos.sh unpacked")
    parser.add_argument("out", type=Path, help="folder of the shards")
    parser.add_argument("--shards", type=int, default=40, help="of 64 patches each")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    photos = list(training_photos(args.photos))
    upscaler = teacher()
    for number in tqdm(range(args.shards), unit="shard"):
        file = args.out / f"shard-{args.seed}-{number:04}.npz"
        if file.exists():
            continue
        rng = np.random.default_rng((args.seed, number))
        chosen = rng.integers(0, len(photos), _SHARD)
        pairs = [random_patch(photos[i], rng) for i in chosen]
        patches = np.stack([seen for seen, _ in pairs])
        targets = np.stack([taught(upscaler, shown) for _, shown in pairs])
        part = file.with_suffix(".part.npz")
        np.savez(part, patches=patches, targets=targets)
        part.rename(file)


if __name__ == "__main__":
    main()
