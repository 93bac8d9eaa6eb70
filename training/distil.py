"""Train the compact network to copy its teacher.

    python -m training.distil DATA OUT --steps 14000

Three stages, each adding to the loss of the one before: pixels and gradients, which alone blur;
local contrast, which brings texture back; and a critic that knows the teacher's pictures.
OUT holds `checkpoint.pt`, from which the same command goes on, `log.jsonl`, and at last
`compact.safetensors`: the running mean of the weights in fp16.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from training.state import StagedTraining, export, follow
from training.student import Critic, new_student

_CROP = 56  # pixels of the patch that one step sees
_MARGIN = 4  # its outermost pixels, which lack their surroundings, do not count
_BATCH = 8
_JUDGED = 4  # of them are shown to the critic, which is slow
_VALIDATION = 64  # patches
_STAGES = {"pixels": 0.0, "contrast": 0.25, "adversarial": 0.6}  # begin at this share of the steps
_ADVERSARIAL = 2.0  # gradient of the critic's verdict, relative to that of the other terms
_MEAN = 0.999  # weight of the past in the running mean of the weights
_RATES = 4e-4, 2e-4, 1e-5  # learning rate: at first, when the critic comes, at last
_CONTRAST = 3.0  # weight of the contrast's terms
_EVERY = 250  # steps between checkpoints


@dataclass
class Patches:
    """Pairs of patches (n, h, w, 3) and targets (n, 4h, 4w, 3), uint8."""

    patches: NDArray[np.uint8]
    targets: NDArray[np.uint8]

    @classmethod
    def load(cls, folder: Path) -> Patches:
        """All shards of a folder."""
        shards = [np.load(file) for file in sorted(folder.glob("shard-*.npz"))]
        return cls(*(np.concatenate([s[k] for s in shards]) for k in ("patches", "targets")))

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Random crops, turned, mirrored and with their channels swapped at random."""
        low: list[NDArray[np.uint8]] = []
        high: list[NDArray[np.uint8]] = []
        for i in rng.integers(_VALIDATION, len(self.patches), _BATCH):
            y, x = rng.integers(0, self.patches.shape[1] - _CROP + 1, 2)
            pair = (
                self.patches[i, y : y + _CROP, x : x + _CROP],
                self.targets[i, 4 * y : 4 * (y + _CROP), 4 * x : 4 * (x + _CROP)],
            )
            turns, mirror, swap = int(rng.integers(4)), rng.random() < 0.5, rng.random() < 0.3
            for part, into in zip(pair, (low, high), strict=True):
                part = np.rot90(part, turns)
                part = part[:, ::-1] if mirror else part
                into.append(part[..., ::-1] if swap else part)
        return tensor(np.stack(low)), tensor(np.stack(high))


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """(n, h, w, 3) uint8 → (n, 3, h, w) float32 in 0..1."""
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    return batch.contiguous(memory_format=torch.channels_last)


class Training(StagedTraining):
    """Everything that a checkpoint must hold."""

    stages, rates = _STAGES, _RATES
    kept = ("student", "mean", "critic", "optimizer", "critic_optimizer")

    def __init__(self, steps: int, seed: int, device: torch.device) -> None:
        super().__init__(steps, seed)
        self.device = device
        self.student = new_student().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean = copy.deepcopy(self.student).requires_grad_(False)
        self.critic = Critic().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.student.parameters(), betas=(0.9, 0.99))
        self.critic_optimizer = torch.optim.Adam(
            self.critic.parameters(), lr=4e-4, betas=(0.5, 0.99)
        )

    def advance(self, data: Patches) -> None:
        """One step."""
        self.optimizer.param_groups[0]["lr"] = self.rate
        low, high = (part.to(self.device) for part in data.batch(self.rng))
        with torch.autocast(self.device.type, torch.bfloat16):
            made = self.student(low)
        made, high = (_without_margin(part) for part in (made.float(), high))
        loss = pixel_loss(made, high)
        if self.stage != "pixels":
            loss = loss + _CONTRAST * contrast_loss(made, high)
        if self.stage == "adversarial":
            loss = loss + self._adversarial(made[:_JUDGED], high[:_JUDGED], loss)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.stage == "adversarial":
            self._teach_critic(made[:_JUDGED].detach(), high[:_JUDGED])
        self.step += 1
        follow(self.mean, self.student, _MEAN, self.step)

    def _adversarial(self, made: Tensor, high: Tensor, loss: Tensor) -> Tensor:
        """How much more real the teacher's picture looks than the student's of the same patch.

        (A relativistic pairing: Jolicoeur-Martineau 2019.) It is weighted by its gradient, as
        VQGAN does (Esser et al. 2021).
        """
        with torch.no_grad():
            real = self._scores(high)
        verdict = F.softplus(real - self._scores(made)).mean()
        last = self.student.body[-1].weight
        ours, its = (torch.autograd.grad(x, last, retain_graph=True)[0] for x in (loss, verdict))
        return verdict * (_ADVERSARIAL * ours.norm() / (its.norm() + 1e-8)).clamp(max=1.0)

    def _teach_critic(self, made: Tensor, high: Tensor) -> None:
        loss = F.softplus(self._scores(made) - self._scores(high)).mean()
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()

    def _scores(self, x: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16):
            scores: Tensor = self.critic(x)
        return scores.float()


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbours, across and down."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def pixel_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of pixels and of gradients."""
    loss = (made - wanted).abs().mean()
    for ours, theirs in zip(gradients(made), gradients(wanted), strict=True):
        loss = loss + (ours - theirs).abs().mean()
    return loss


def contrast_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of local contrast and of pooled gradients: is there as much texture?"""
    loss = (_contrast(made) - _contrast(wanted)).abs().mean()
    for ours, theirs in zip(gradients(made), gradients(wanted), strict=True):
        loss = loss + (F.avg_pool2d(ours.abs(), 8) - F.avg_pool2d(theirs.abs(), 8)).abs().mean()
    return loss


def _contrast(x: Tensor) -> Tensor:
    """Standard deviation in windows of 7×7 pixels."""
    mean = F.avg_pool2d(x, 7, 3)
    return (F.avg_pool2d(x * x, 7, 3) - mean * mean).clamp_min(1e-6).sqrt()


def _without_margin(x: Tensor) -> Tensor:
    edge = 4 * _MARGIN
    return x[..., edge:-edge, edge:-edge]


@torch.inference_mode()
def likeness(net: nn.Module, data: Patches, device: torch.device) -> dict[str, float]:
    """PSNR to the teacher, and gradients relative to the teacher's, on patches not trained on."""
    psnr, ours, theirs = [], 0.0, 0.0
    for start in range(0, _VALIDATION, 8):
        part = slice(start, start + 8)
        low, high = (tensor(x[part]).to(device) for x in (data.patches, data.targets))
        with torch.autocast(device.type, torch.bfloat16):
            made = net(low)
        made = made.float().clamp(0, 1)
        psnr += (-10 * ((made - high) ** 2).mean((1, 2, 3)).log10()).tolist()
        ours += sum(float(g.abs().mean()) for g in gradients(made))
        theirs += sum(float(g.abs().mean()) for g in gradients(high))
    return {"psnr": round(float(np.mean(psnr)), 2), "gradients": round(ours / theirs, 3)}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of shards, from training.data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=14000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = Patches.load(args.data)
    training = Training(args.steps, args.seed, device)
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        training.load(checkpoint)
    with (
        tqdm(total=args.steps, initial=training.step) as bar,
        (args.out / "log.jsonl").open("a") as log,
    ):
        while training.step < args.steps:
            training.advance(data)
            bar.update()
            if training.step % _EVERY == 0 or training.step == args.steps:
                training.save(checkpoint)
                found = likeness(training.mean, data, device)
                row = {"step": training.step, "stage": training.stage, **found}
                print(json.dumps(row), file=log, flush=True)
                bar.set_postfix(found)
    export(training.mean, args.out / "compact.safetensors")


if __name__ == "__main__":
    main()
