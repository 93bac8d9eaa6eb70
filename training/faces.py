"""Train the face network: damaged aligned faces → what they were.

    python -m training.faces FACES OUT --steps 12000

It begins with the weights of Real-ESRGAN's animevideo-v3. Three stages, each adding to the loss of
the one before: pixels and gradients, which alone blur; local contrast; and critics, one that looks
at the whole face and one each for eyes and mouth, as GFPGAN's do (Wang et al. 2021), whose features
are matched, too. Throughout, a part of the faces is undamaged, and now and then the network
restores its own result, which must change nothing.
OUT holds `checkpoint.pt`, from which the same command goes on, `log.jsonl`, and at last
`face.safetensors`: the running mean of the weights in fp16.
"""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance.networks.face import FaceRestorationNet
from training.compact import contrast_loss, gradients, pixel_loss
from training.critic import Critic, new_critics, parts_of
from training.degrade import Float
from training.face_damage import EDGE, damage, vary
from training.face_data import load
from training.state import StagedTraining, export, follow, mixed_precision, training_parser
from training.student import animevideo

_BATCH = 4
_VALIDATION = 8  # faces held out that are looked at with every checkpoint
_HALF = 0.3  # share of the batches that are true at half of the size only
HONEST = 256
"""Pixels of a face that the portraits hold."""
_STAGES = {"pixels": 0.0, "contrast": 0.15, "adversarial": 0.35}  # begin at this share of the steps
_ADVERSARIAL = 1.0  # gradient of the critics' verdicts, relative to that of the other terms
_MATCHING = 0.5  # weight of the critics' features
_CONTRAST = 3.0
_AGAIN = 0.15  # share of the steps in which the network restores its own result
_MEAN = 0.998  # weight of the past in the running mean of the weights
_RATES = 4e-4, 2e-4, 1e-5  # learning rate: at first, when the critics come, at last
_WARM = 50  # steps in which the learning rate rises
_EVERY = 200  # steps between checkpoints


class Faces:
    """Pairs of damaged and true faces, made while the network learns from those before.

    Those of a batch are all sharp at full size, or all only at half of it (`HONEST`).
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        """The batches from step `first` on, with the size at which they are true."""
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(self._batch, first)
            for step in count(first + 1):
                ready, ahead = ahead, pool.submit(self._batch, step)
                yield ready.result()

    def _batch(self, step: int) -> tuple[Tensor, Tensor, int]:
        rng = np.random.default_rng((self._seed, step))
        edge = HONEST if rng.random() < _HALF else EDGE
        files = sorted((self._folder / str(edge)).glob("*.png"))  # more may have come
        pairs = [pair(files[i], rng) for i in rng.integers(0, len(files), _BATCH)]
        return tensor([low for low, _ in pairs]), tensor([high for _, high in pairs]), edge


def pair(file: Path, rng: np.random.Generator, strength: float | None = None) -> tuple[Any, Any]:
    """A face as it was damaged and as it was, (512, 512, 3) each; see `damage`."""
    face = load(file)
    if len(face) < EDGE:
        face = np.asarray(cv2.resize(face, (EDGE, EDGE), interpolation=cv2.INTER_CUBIC), np.uint8)
    true = vary(face.astype(np.float32), rng)
    return damage(true, rng, strength), true


def tensor(faces: list[Float]) -> Tensor:
    """(h, w, 3) in 0..255 each → (n, 3, h, w) in 0..1."""
    batch = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float() / 255
    return batch.contiguous(memory_format=torch.channels_last)


def new_net() -> FaceRestorationNet:
    """The face network with the weights of Real-ESRGAN's animevideo-v3: at first it computes the
    same for a face shrunk to a quarter."""
    net = FaceRestorationNet()
    begin: list[Any] = [*animevideo().body]
    layers: list[Any] = [*net.head, *net.tail]
    with torch.no_grad():
        for i, layer in enumerate(layers):
            weight = begin[i].weight
            if i == 0:  # each pixel counts a sixteenth
                weight = weight.repeat_interleave(16, 1) / 16
            layer.weight.copy_(weight)
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                layer.bias.copy_(begin[i].bias)
        mean = torch.block_diag(*[torch.full((16, 16), 1 / 16)] * 3)
        net.skip.weight.copy_((mean - torch.eye(48))[..., None, None])
        last = list(net.fine.parameters())[-2:]
        for zero in (net.skip.bias, net.up.weight, net.up.bias, *last):
            assert zero is not None
            zero.zero_()
        for name, weight in net.coarse.named_parameters():
            if name.endswith("body.2.weight"):  # the blocks begin as little more than nothing
                weight.mul_(0.1)
        nn.init.normal_(net.position, std=0.05)
    return net


def started(file: Path) -> FaceRestorationNet:
    """The face network with weights that an earlier training has saved."""
    net = FaceRestorationNet()
    net.load_state_dict(safetensors.torch.load_file(file))
    return net


class Training(StagedTraining):
    """Everything that a checkpoint must hold."""

    stages, rates = _STAGES, _RATES
    kept = ("net", "mean", "critics", "optimizer", "critics_optimizer")

    def __init__(
        self, steps: int, seed: int, device: torch.device, start: Path | None = None
    ) -> None:
        """start: weights to begin with, in place of Real-ESRGAN's."""
        super().__init__(steps, seed)
        self.device = device
        self.net = (started(start) if start else new_net()).to(
            device, memory_format=torch.channels_last
        )  # type: ignore[call-overload]
        self.mean = copy.deepcopy(self.net).requires_grad_(False)
        self.critics = new_critics().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.net.parameters(), betas=(0.9, 0.99))
        self.critics_optimizer = torch.optim.Adam(
            self.critics.parameters(), lr=3e-4, betas=(0.5, 0.99)
        )

    def advance(self, low: Tensor, high: Tensor, edge: int) -> None:  # type: ignore[override]
        """One step. edge: the size at which `high` is true."""
        warm = min(1.0, (self.step + 1) / _WARM)
        self.optimizer.param_groups[0]["lr"] = warm * self.rate
        low, high = low.to(self.device), high.to(self.device)
        if self.rng.random() < _AGAIN:
            half = len(low) // 2
            own = self._made(low[:half]).detach().clamp(0, 1)
            low, high = torch.cat([own, low[half:]]), torch.cat([own, high[half:]])
        made = self._made(low)
        judged = self.stage == "adversarial" and edge == EDGE
        if edge < EDGE:
            made, high = (F.avg_pool2d(x, EDGE // edge) for x in (made, high))
        loss = pixel_loss(made, high)
        for size in (2, 4, 16):  # what is known of the face must stay
            small = F.avg_pool2d(made, size), F.avg_pool2d(high, size)
            loss = loss + (pixel_loss(*small) if size == 2 else (small[0] - small[1]).abs().mean())
        if self.stage != "pixels":
            loss = loss + _CONTRAST * contrast_loss(made, high)
        if judged:
            loss = loss + self._adversarial(made, high, loss)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        if judged:
            self._teach_critics(made.detach(), high)
        self.step += 1
        follow(self.mean, self.net, _MEAN, self.step)

    def _made(self, low: Tensor) -> Tensor:
        with mixed_precision(self.device):
            made: Tensor = self.net(low)
        return made.float()

    def _adversarial(self, made: Tensor, high: Tensor, loss: Tensor) -> Tensor:
        """How much more real the true faces look than the restored ones, and how far apart the
        critics' features of the two are. Weighted by its gradient, as in `training.compact`."""
        verdict = matching = made.new_zeros(())
        for critic, ours, true in self._judged(made, high):
            with torch.no_grad():
                real, wanted = critic(true)
            score, features = critic(ours)
            verdict = verdict + F.softplus(real.float() - score.float()).mean()
            for mine, its in zip(features, wanted, strict=True):
                matching = matching + (mine.float() - its.float()).abs().mean()
        verdict = verdict + _MATCHING * matching
        last = self.net.tail[-1].weight
        ours, its = (torch.autograd.grad(x, last, retain_graph=True)[0] for x in (loss, verdict))
        return verdict * (_ADVERSARIAL * ours.norm() / (its.norm() + 1e-8)).clamp(max=1.0)

    def _teach_critics(self, made: Tensor, high: Tensor) -> None:
        loss = made.new_zeros(())
        for critic, ours, true in self._judged(made, high):
            loss = loss + F.softplus(critic(ours)[0].float() - critic(true)[0].float()).mean()
        self.critics_optimizer.zero_grad()
        loss.backward()
        self.critics_optimizer.step()

    def _judged(self, made: Tensor, high: Tensor) -> Iterator[tuple[Critic, Tensor, Tensor]]:
        with mixed_precision(self.device):
            for name, critic in self.critics.items():
                yield critic, parts_of(made, name), parts_of(high, name)


@torch.inference_mode()
def likeness(net: nn.Module, files: list[Path], device: torch.device) -> dict[str, float]:
    """PSNR to the truth, and gradients relative to the truth's, by strength of damage; and PSNR of
    undamaged faces, on faces not trained on."""
    found: dict[str, float] = {}
    for name, strength in {"light": 0.2, "medium": 0.55, "heavy": 0.95, "clean": -1.0}.items():
        psnr, ours, theirs = [], 0.0, 0.0
        for i, file in enumerate(files):
            rng = np.random.default_rng(i)
            low, high = pair(file, rng, max(strength, 0.0))
            low, true = tensor([high if strength < 0 else low]), tensor([high])
            with mixed_precision(device):
                made = net(low.to(device))
            made, true = (x.float().cpu().clamp(0, 1)[..., 80:460, 100:412] for x in (made, true))
            psnr.append(float(-10 * ((made - true) ** 2).mean().log10()))
            ours += sum(float(g.abs().mean()) for g in gradients(made))
            theirs += sum(float(g.abs().mean()) for g in gradients(true))
        found[name], found[f"{name} gradients"] = (
            round(float(np.mean(psnr)), 2),
            round(ours / theirs, 3),
        )
    return found


def main() -> None:
    """The command."""
    about = __doc__.splitlines()[0]
    what = "folder of faces, from training.face_data"
    args = training_parser(about, "faces", what, 12000).parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    training = Training(args.steps, args.seed, device, args.start)
    faces = Faces(args.faces, args.seed)
    held = sorted((args.faces / "held").glob("*.png"))[:_VALIDATION]
    training.run(args.out, faces.batches, lambda: likeness(training.mean, held, device), _EVERY)
    export(training.mean, args.out / "face.safetensors")


if __name__ == "__main__":
    main()
