"""What both trainings keep: checkpoints, running means, and the weights of the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn


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
