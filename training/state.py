"""What the trainings keep: stages, checkpoints, running means, and the weights of the package."""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from enhance.networks.resident import Device
from enhance.options import Setup


def mixed_precision(device: torch.device) -> torch.autocast:
    """bf16 where the device computes faster in it, otherwise fp32."""
    usable = device.type != "cpu" or Device.of(Setup(device="cpu")).precision == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=usable)


def save_checkpoint(
    file: Path, parts: Mapping[str, Any], step: int, rng: np.random.Generator
) -> None:
    """Write a checkpoint, all or nothing. parts: what has a state_dict, by name."""
    state = {name: part.state_dict() for name, part in parts.items()}
    dice = json.dumps(rng.bit_generator.state)
    torch.save({**state, "step": step, "rng": dice}, file.with_suffix(".part"))
    file.with_suffix(".part").rename(file)


def load_checkpoint(file: Path, parts: Mapping[str, Any], rng: np.random.Generator) -> int:
    """Bring parts and generator to the state of a checkpoint; its step."""
    state = torch.load(file, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    rng.bit_generator.state = json.loads(state["rng"])
    return int(state["step"])


def follow(mean: nn.Module, net: nn.Module, past: float, step: int) -> None:
    """Take a network's weights into their running mean. past: its weight, less in the first
    steps."""
    weight = min(past, (step + 1) / (step + 10))
    for kept, now in zip(mean.parameters(), net.parameters(), strict=True):
        kept.lerp_(now.detach(), 1 - weight)


def export(net: nn.Module, file: Path) -> Path:
    """Write the weights in fp16, as the package holds them."""
    save_file({name: value.half().contiguous() for name, value in net.state_dict().items()}, file)
    return file


class StagedTraining:
    """A training in stages, of which the last, "adversarial", has a learning rate of its own.

    A subclass says at which share of the steps its `stages` begin, which `kept` attributes have a
    state_dict, and its `rates`: at first, when the critics come, at last.
    """

    stages: ClassVar[Mapping[str, float]]
    kept: ClassVar[tuple[str, ...]]
    rates: ClassVar[tuple[float, float, float]]

    def __init__(self, steps: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.steps, self.step = steps, 0
        self.rng = np.random.default_rng(seed)

    @property
    def stage(self) -> str:
        """The name of the present stage."""
        done = self.step / self.steps
        return [name for name, start in self.stages.items() if done >= start][-1]

    @property
    def rate(self) -> float:
        """The learning rate: a cosine before the critics come, and one from then on."""
        done, turn = self.step / self.steps, self.stages["adversarial"]
        top = self.rates[0] if done < turn else self.rates[1]
        share = done / turn if done < turn else (done - turn) / (1 - turn)
        return self.rates[2] + (top - self.rates[2]) * 0.5 * (1 + math.cos(math.pi * share))

    def save(self, file: Path) -> None:
        """Write a checkpoint, all or nothing."""
        save_checkpoint(file, self._parts(), self.step, self.rng)

    def load(self, file: Path) -> None:
        """Go on from a checkpoint."""
        self.step = load_checkpoint(file, self._parts(), self.rng)

    def run(
        self,
        out: Path,
        batches: Callable[[int], Iterator[tuple[Any, ...]]],
        judge: Callable[[], dict[str, float]],
        every: int,
    ) -> None:
        """Advance through the batches from the present step on, after going on from a checkpoint in
        `out`; every so many steps write one, and a line of the log with what `judge` finds."""
        out.mkdir(parents=True, exist_ok=True)
        checkpoint = out / "checkpoint.pt"
        if checkpoint.exists():
            self.load(checkpoint)
        with (
            tqdm(total=self.steps, initial=self.step) as bar,
            (out / "log.jsonl").open("a") as log,
        ):
            for batch in batches(self.step):
                if self.step >= self.steps:
                    break
                self.advance(*batch)
                bar.update()
                if self.step % every == 0 or self.step == self.steps:
                    self.save(checkpoint)
                    row = {"step": self.step, "stage": self.stage, **judge()}
                    print(json.dumps(row), file=log, flush=True)

    def advance(self, *batch: Any) -> None:
        """One step."""
        raise NotImplementedError

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.kept}


def training_parser(description: str, data: str, what: str, steps: int) -> argparse.ArgumentParser:
    """The arguments of a staged training. data, what: the name of its data, and what it is."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(data, type=Path, help=what)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="weights to begin with, such as the package's")
    return parser
