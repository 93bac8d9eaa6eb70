"""Train the compact network to enlarge damaged photos twice, as they were before.

    python -m training.compact PHOTOS OUT --steps 5600 [--start FILE]

Three stages, each adding to the loss of the one before: pixels and gradients, which alone blur;
local contrast, which brings texture back; and a critic that knows real photos. Patches are cut and
damaged while the network learns. Four in ten are nearly clean, so that clean photos stay so.
OUT holds `checkpoint.pt`, from which the same command goes on, `log.jsonl`, and at last
`compact.safetensors`: the running mean of the weights in fp16.
"""

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.critic import Critic
from training.degrade import degrade
from training.photos import Image, held_out_photos, training_photos
from training.state import StagedTraining, export, follow, mixed_precision, training_parser
from training.student import new_student

_EDGE = 96  # of a patch, pixels; its target is twice as large
_MARGIN = 12  # its outermost pixels, which lack their surroundings, do not count
_BATCH = 8
_SIDES = (192, 240, 320, 448)  # of the photo's part that becomes a patch
_TRIES = 3  # parts that are looked at; the one with the most texture is taken
_VALIDATION = 48  # patches
_STAGES = {"pixels": 0.0, "contrast": 0.35, "adversarial": 0.5}  # begin at this share of the steps
_ADVERSARIAL = 2.0  # gradient of the critic's verdict, relative to that of the other terms
_MATCHING = 0.2  # weight of the critic's features
_CONTRAST = 2.0
_MEAN = 0.998  # weight of the past in the running mean of the weights
_RATES = 5e-4, 2e-4, 1e-5  # learning rate: at first, when the critic comes, at last
_EVERY = 200  # steps between checkpoints


class Patches:
    """Pairs of damaged patches and what they were, made while the network learns from those
    before."""

    def __init__(self, photos: list[Image], seed: int) -> None:
        self._photos, self._seed = photos, seed

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches from step `first` on: (n, 3, h, w) and (n, 3, 2h, 2w)."""
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(self.batch, first, _BATCH)
            for step in count(first + 1):
                ready, ahead = ahead, pool.submit(self.batch, step, _BATCH)
                yield ready.result()

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """The patches of one step."""
        rng = np.random.default_rng((self._seed, step))
        pairs = [self._pair(rng) for _ in range(size)]
        return tensor([low for low, _ in pairs]), tensor([high for _, high in pairs])

    def _pair(self, rng: np.random.Generator) -> tuple[Image, Image]:
        photo = self._photos[rng.integers(len(self._photos))]
        parts = [_part(photo, rng) for _ in range(_TRIES if rng.random() < 0.7 else 1)]
        part = np.rot90(max(parts, key=_texture), int(rng.integers(4)))
        part = part[..., ::-1] if rng.random() < 0.2 else part
        return degrade(np.ascontiguousarray(part), _EDGE, rng)


def _part(photo: Image, rng: np.random.Generator) -> Image:
    side = min(*photo.shape[:2], int(rng.choice(_SIDES)))
    top, left = (int(rng.integers(0, length - side + 1)) for length in photo.shape[:2])
    part = photo[top : top + side, left : left + side]
    wanted = (2 * _EDGE, 2 * _EDGE)
    small = cv2.resize(part, wanted, interpolation=cv2.INTER_AREA)
    return np.asarray(small[:, :: rng.choice((-1, 1))], np.uint8)


def _texture(part: Image) -> float:
    """How much of a picture is fine detail."""
    gray = part.mean(2).astype(np.float32)
    return float(np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 1.5)).mean())


def tensor(patches: Sequence[Image]) -> Tensor:
    """(h, w, 3) in 0..255 each → (n, 3, h, w) in 0..1."""
    batch = torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2).float() / 255
    return batch.contiguous(memory_format=torch.channels_last)


class Training(StagedTraining):
    """Everything that a checkpoint must hold."""

    stages, rates = _STAGES, _RATES
    kept = ("student", "mean", "critic", "optimizer", "critic_optimizer")

    def __init__(
        self, steps: int, seed: int, device: torch.device, start: Path | None = None
    ) -> None:
        """start: weights to begin with, in place of Real-ESRGAN's."""
        super().__init__(steps, seed)
        self.device = device
        self.student = new_student(start).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean = copy.deepcopy(self.student).requires_grad_(False)
        self.critic = Critic(32, 3).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.student.parameters(), betas=(0.9, 0.99))
        self.critic_optimizer = torch.optim.Adam(
            self.critic.parameters(), lr=3e-4, betas=(0.5, 0.99)
        )

    def advance(self, low: Tensor, high: Tensor) -> None:  # type: ignore[override]
        """One step."""
        self.optimizer.param_groups[0]["lr"] = self.rate
        low, high = low.to(self.device), high.to(self.device)
        with mixed_precision(self.device):
            made = self.student(low)
        made, high = (_without_margin(part) for part in (made.float(), high))
        loss = pixel_loss(made, high)
        if self.stage != "pixels":
            loss = loss + _CONTRAST * contrast_loss(made, high)
        if self.stage == "adversarial":
            loss = loss + self._adversarial(made, high, loss)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        if self.stage == "adversarial":
            self._teach_critic(made.detach(), high)
        self.step += 1
        follow(self.mean, self.student, _MEAN, self.step)

    def _adversarial(self, made: Tensor, high: Tensor, loss: Tensor) -> Tensor:
        """How much more real the true patches look than the student's (a relativistic pairing:
        Jolicoeur-Martineau 2019), and how far apart the critic's features of the two are. Weighted
        by its gradient, as VQGAN does (Esser et al. 2021)."""
        with mixed_precision(self.device):
            with torch.no_grad():
                real, wanted = self.critic(high)
            score, features = self.critic(made)
        verdict = F.softplus(real.float() - score.float()).mean()
        for ours, theirs in zip(features, wanted, strict=True):
            verdict = verdict + _MATCHING * (ours.float() - theirs.float()).abs().mean()
        last = self.student.coarse.weight
        ours, its = (torch.autograd.grad(x, last, retain_graph=True)[0] for x in (loss, verdict))
        return verdict * (_ADVERSARIAL * ours.norm() / (its.norm() + 1e-8)).clamp(max=1.0)

    def _teach_critic(self, made: Tensor, high: Tensor) -> None:
        with mixed_precision(self.device):
            scores = self.critic(made)[0].float() - self.critic(high)[0].float()
        self.critic_optimizer.zero_grad()
        F.softplus(scores).mean().backward()
        self.critic_optimizer.step()


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbors, across and down."""
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
    edge = 2 * _MARGIN
    return x[..., edge:-edge, edge:-edge]


@torch.inference_mode()
def likeness(net: nn.Module, data: tuple[Tensor, Tensor], device: torch.device) -> dict[str, float]:
    """PSNR to the truth, and gradients relative to the truth's, on photos not trained on."""
    psnr, ours, theirs = [], 0.0, 0.0
    for low, high in zip(*(part.split(8) for part in data), strict=True):
        with mixed_precision(device):
            made = net(low.to(device))
        made, true = (_without_margin(x.float().cpu()).clamp(0, 1) for x in (made, high))
        psnr += (-10 * ((made - true) ** 2).mean((1, 2, 3)).clamp_min(1e-6).log10()).tolist()
        ours += sum(float(g.abs().mean()) for g in gradients(made))
        theirs += sum(float(g.abs().mean()) for g in gradients(true))
    return {"psnr": round(float(np.mean(psnr)), 2), "gradients": round(ours / theirs, 3)}


def main() -> None:
    """The command."""
    about = __doc__.splitlines()[0]
    args = training_parser(about, "photos", "where get_photos.sh unpacked", 5600).parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    training = Training(args.steps, args.seed, device, args.start)
    held = Patches([photo for _, photo in held_out_photos(args.photos)], args.seed)
    validation = held.batch(0, _VALIDATION)
    patches = Patches(list(training_photos(args.photos)), args.seed)
    training.run(
        args.out, patches.batches, lambda: likeness(training.mean, validation, device), _EVERY
    )
    export(training.mean, args.out / "compact.safetensors")


if __name__ == "__main__":
    main()
