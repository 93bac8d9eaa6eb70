"""PyTorch checkpoints read without running any code that they might carry."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from torch import Tensor

from enhance.errors import WeightsInvalid, WeightsMissing
from enhance.i18n import say

_WRAPPERS = ("params_ema", "params")  # as BasicSR saves them; the averaged weights are the better


def load_checkpoint(path: Path) -> dict[str, Tensor]:
    """The named tensors of the checkpoint at `path`, on the CPU.

    Tensors of files in PyTorch's zip format stay on disk until they are used, so `path` must not
    be rewritten in place meanwhile.

    Raises WeightsMissing when the file cannot be read, WeightsInvalid when it is not a checkpoint
    or holds anything but tensors and plain data.
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
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:  # foreign bytes make the unpickler raise almost anything
        raise WeightsInvalid(
            say(
                "{file} is not a weight file, is damaged, or contains code, which is never run.",
                file=path.name,
            )
        ) from error
    return _tensors(content, path)


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, dict):
        content = next((content[key] for key in _WRAPPERS if key in content), content)
    found = content if isinstance(content, dict) else {}
    if not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsInvalid(
            say("{file} is a PyTorch file, but it contains no weights.", file=path.name)
        )
    # Training on several GPUs leaves this prefix: facexlib's RetinaFace has it.
    return {str(name).removeprefix("module."): value for name, value in found.items()}
