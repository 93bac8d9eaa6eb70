"""Checkpoints read without running any code that they might carry."""

from __future__ import annotations

import zipfile
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from enhance.errors import WeightsInvalid, WeightsMissing
from enhance.i18n import say

_WRAPPERS = ("params_ema", "params")  # as BasicSR saves them; the averaged weights are the better


def read_checkpoint(path: Path) -> object:
    """What the checkpoint at `path` holds, on the CPU: nothing but tensors and plain data.

    Tensors of files in PyTorch's zip format stay on disk until they are used, so `path` must not
    be rewritten in place meanwhile.

    Raises WeightsMissing when the file cannot be read, WeightsInvalid when it is not a checkpoint
    or holds anything else.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise WeightsMissing(
            say(
                "The weight file {file} could not be read: {reason}.",
                file=path.name,
                reason=error.strerror or str(error),
            )
        ) from error
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:  # foreign bytes make the unpickler raise almost anything
        raise WeightsInvalid(
            say(
                "{file} is not a weight file, is damaged, or contains code, which is never run.",
                file=path.name,
            )
        ) from error


def load_checkpoint(path: Path) -> dict[str, Tensor]:
    """The named tensors of one of the checkpoints in the catalogue. Raises as `read_checkpoint`."""
    content = read_checkpoint(path)
    if isinstance(content, dict):
        content = next((content[key] for key in _WRAPPERS if key in content), content)
    # Training on several GPUs leaves this prefix: facexlib's RetinaFace has it.
    return {name.removeprefix("module."): value for name, value in tensors(content, path).items()}


def tensors(content: object, path: Path) -> dict[str, Tensor]:
    """The content of the checkpoint at `path` if it is named tensors. Raises WeightsInvalid."""
    found = content if isinstance(content, dict) else {}
    if not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsInvalid(say("{file} contains no weights.", file=path.name))
    return {str(name): value for name, value in found.items()}
