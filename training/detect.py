"""Train the network that finds damage.

    python -m training.detect PHOTOS OUT --steps 4000

Every step draws fresh damage over fresh parts of the training photos (`training.damage`). OUT
holds `checkpoint.pt`, from which the same command goes on, `log.jsonl`, and at last
`damage.safetensors`: the running mean of the weights in fp16. `--start` takes such a file to begin
with.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from enhance.networks.damage import DamageNet
from training.damage import Sample, damaged
from training.photos import Image, training_photos
from training.state import export, follow, load_checkpoint, mixed_precision, save_checkpoint

UNSEEN = ("grace_hopper",)
"""Training photos of the compact network that this one must not see: it is judged by them."""

_EDGE = 160  # of a patch, pixels
_BATCH = 5
_SIDES = (130, 1600)  # of the photo's part that becomes a patch
_RATES = 1.5e-3, 1e-5  # learning rate: after the warm-up, and at last
_RATE_AGAIN = 7e-4  # the former for weights that have learned already
_WARM = 100  # steps
_MEAN = 0.998  # weight of the past in the running mean of the weights
_WEIGHT = 1.2  # of a damaged pixel relative to a clean one
_EVERY = 100  # steps between checkpoints
_VALIDATION = 32  # patches, always the same


@dataclass(frozen=True)
class Batch:
    """photos (n, 3, h, w) in 0..1; masks and known (n, 1, h, w)."""

    photos: Tensor
    masks: Tensor
    known: Tensor

    @classmethod
    def of(cls, samples: list[Sample]) -> Batch:
        """Samples as the network takes them."""
        pictures = np.stack([s.damaged for s in samples]).clip(0, 255) / 255
        masks, known = (
            torch.from_numpy(np.stack([getattr(s, name) for s in samples]))[:, None]
            for name in ("mask", "known")
        )
        photos = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2)
        return cls(photos.contiguous(memory_format=torch.channels_last), masks, known)


def random_sample(photos: list[Image], rng: np.random.Generator) -> Sample:
    """Damage over a part of one of the photos, at a random scale, turned and mirrored."""
    photo = photos[rng.integers(len(photos))]
    low, high = np.log(_SIDES)
    side = min(*photo.shape[:2], int(np.exp(rng.uniform(low, high))))
    top, left = (int(rng.integers(0, length - side + 1)) for length in photo.shape[:2])
    part = photo[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > _EDGE else cv2.INTER_CUBIC
    patch: NDArray[np.uint8] = cv2.resize(part, (_EDGE, _EDGE), interpolation=method)  # type: ignore[assignment]
    patch = np.rot90(patch, rng.choice((0, 0, 0, 1, 2, 3)))[:, :: rng.choice((-1, 1))]
    patch = patch[..., ::-1] if rng.random() < 0.2 else patch
    return damaged(np.ascontiguousarray(patch), rng)


def fresh_net() -> DamageNet:
    """Initialized so that signals keep their size on the way and most pixels begin as clean."""
    net = DamageNet()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=0.1)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    nn.init.normal_(net.leave.weight, std=0.01)
    nn.init.constant_(net.leave.bias, -3.0)  # type: ignore[arg-type]
    return net


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of all pixels that are known, and the overlap of the masks (Dice)."""
    each = F.binary_cross_entropy_with_logits(logits, batch.masks, reduction="none")
    each = each * batch.known * (1 + (_WEIGHT - 1) * batch.masks)
    found = torch.sigmoid(logits) * batch.known
    both = (found * batch.masks).sum()
    dice = 1 - (2 * both + 1) / (found.sum() + batch.masks.sum() + 1)
    return 4 * each.mean() + 0.5 * dice


class Training:
    """Everything that a checkpoint must hold."""

    def __init__(self, steps: int, seed: int, start: Path | None = None) -> None:
        torch.manual_seed(seed)
        self.steps, self.step = steps, 0
        net = fresh_net()
        if start:
            net.load_state_dict(load_file(start))
        self.highest = _RATE_AGAIN if start else _RATES[0]
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean = copy.deepcopy(self.net).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), weight_decay=1e-4)
        self.rng = np.random.default_rng(seed)

    @property
    def rate(self) -> float:
        """The learning rate: a short warm-up and a cosine."""
        if self.step < _WARM:
            return self.highest * (self.step + 1) / _WARM
        share = 0.5 * (1 + math.cos(math.pi * self.step / self.steps))
        return _RATES[1] + (self.highest - _RATES[1]) * share

    def parts(self) -> dict[str, Any]:
        """What has a state_dict."""
        return {"net": self.net, "mean": self.mean, "optimizer": self.optimizer}

    def save(self, file: Path) -> None:
        """Write a checkpoint, all or nothing."""
        save_checkpoint(file, self.parts(), self.step, self.rng)

    def load(self, file: Path) -> None:
        """Go on from a checkpoint."""
        self.step = load_checkpoint(file, self.parts(), self.rng)

    def advance(self, photos: list[Image]) -> float:
        """One step; its loss."""
        self.optimizer.param_groups[0]["lr"] = self.rate
        batch = Batch.of([random_sample(photos, self.rng) for _ in range(_BATCH)])
        with mixed_precision(torch.device("cpu")):
            logits = self.net(batch.photos)
        loss = loss_of(logits.float(), batch)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        follow(self.mean, self.net, _MEAN, self.step)
        return float(loss.detach())


@torch.inference_mode()
def judged(net: DamageNet, batches: list[Batch]) -> dict[str, float]:
    """Recall and precision of the known pixels, at a probability of a half."""
    hit = found = real = 0.0
    for batch in batches:
        marked = (net(batch.photos) > 0).float() * batch.known
        hit += float((marked * batch.masks).sum())
        found += float(marked.sum())
        real += float(batch.masks.sum())
    return {"recall": round(hit / max(real, 1), 4), "precision": round(hit / max(found, 1), 4)}


def train(photos: list[Image], out: Path, steps: int, seed: int, start: Path | None = None) -> Path:
    """Train, or go on; the weights' file. start: weights to begin with."""
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    training = Training(steps, seed, start)
    if checkpoint.exists():
        training.load(checkpoint)
    rng = np.random.default_rng((seed, 1))
    validation = [Batch.of([random_sample(photos, rng)]) for _ in range(_VALIDATION)]
    losses: list[float] = []
    progress = tqdm(total=steps, initial=training.step, unit="step")
    while training.step < steps:
        losses.append(training.advance(photos))
        progress.update()
        if training.step % _EVERY == 0 or training.step == steps:
            training.save(checkpoint)
            line = {"step": training.step, "loss": round(float(np.mean(losses)), 4)}
            line |= judged(training.mean, validation)
            losses.clear()
            progress.set_postfix(line)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
    return export(training.mean, out / "damage.safetensors")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="where get_photos.sh unpacked")
    parser.add_argument("out", type=Path, help="folder of the checkpoint and the weights")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="weights to begin with")
    args = parser.parse_args()
    photos = list(training_photos(args.photos, without=UNSEEN))
    photos += [photo for photo in photos if len(photo) > photo.shape[1]] * 2  # portraits
    train(photos, args.out, args.steps, args.seed, args.start)


if __name__ == "__main__":
    main()
