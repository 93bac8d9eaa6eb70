"""Arrays to tensors and back; which device, which precision; running out of memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from enhance.errors import EnhanceError, OutOfMemory
from enhance.records import FloatArray, Pixels, Setup

log = logging.getLogger(__name__)

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

Net = TypeVar("Net", bound=nn.Module)
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where networks run and in which precision ("fp32", "bf16" or "fp16")."""

    device: torch.device
    precision: str

    @classmethod
    def of(cls, setup: Setup) -> Place:
        """Resolve "auto": the fastest device there is, the precision that it does well.

        Raises EnhanceError when the wanted device is not there.
        """
        name = setup.device
        if name == "auto":
            name = "cuda" if _has("cuda") else "mps" if _has("mps") else "cpu"
        elif not _has(name):
            raise EnhanceError(f"This machine has no {name} device. Use --device auto or cpu.")
        wanted = setup.precision
        precision = _best_precision(name) if wanted == "auto" else wanted
        return cls(torch.device(name), precision)

    def settle(self, net: Net) -> Net:
        """The net on this device, in this precision, ready for inference."""
        net.requires_grad_(False).eval()
        return net.to(self.device, _DTYPES[self.precision], memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def put(self, pixels: FloatArray) -> Tensor:
        """(n, h, w, 3) float32 → (n, 3, h, w) channels-last in this precision."""
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        return batch.to(self.device, _DTYPES[self.precision], memory_format=torch.channels_last)

    @staticmethod
    def fetch(batch: Tensor) -> FloatArray:
        """(n, 3, h, w) → (n, h, w, 3) float32 in main memory."""
        return batch.float().permute(0, 2, 3, 1).cpu().numpy()


def unit(pixels: Pixels) -> FloatArray:
    """uint8 or uint16 pixels as float32 in 0..1."""
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def shrinking(size: int, smallest: int, attempt: Callable[[int], T]) -> T:
    """`attempt(size)`, at half the size each time the device runs out of memory.

    Raises OutOfMemory when even `smallest` does not fit.
    """
    while True:
        try:
            with _memory_errors():
                return attempt(size)
        except OutOfMemory:
            if size <= smallest:
                raise
        # Outside the handler, so that the failed attempt's tensors are no longer referenced.
        release()
        size = max(smallest, size // 2)
        log.warning("out of memory, trying again at size %d", size)


@contextmanager
def interruptible(net: nn.Module, checkpoint: Callable[[], None]) -> Iterator[None]:
    """Call `checkpoint` before every convolution of `net`: on a CPU one tile can take a minute."""
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    hooks = [m.register_forward_pre_hook(lambda *_: checkpoint()) for m in convolutions]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def release() -> None:
    """Give cached device memory back."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory("The device ran out of memory. Use a smaller tile or photo.") from error
    except RuntimeError as error:  # the CPU allocator has no exception class of its own
        if "can't allocate memory" not in str(error):
            raise
        raise OutOfMemory("This machine ran out of memory. Use a smaller photo.") from error


def _has(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_available()
    if device == "mps":
        return torch.backends.mps.is_available()
    return True


def _best_precision(device: str) -> str:
    """What the device does at full speed; not timed, so that load cannot change the pixels."""
    if device == "cuda":
        return "fp16" if torch.cuda.get_device_capability() >= (7, 0) else "fp32"
    if device == "mps":
        return "fp16"
    can = torch.cpu.get_capabilities()
    return (
        "bf16" if any(can.get(key) for key in ("avx512_bf16", "amx_bf16", "sve_bf16")) else "fp32"
    )
