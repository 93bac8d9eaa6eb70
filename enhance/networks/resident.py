"""Runs networks: chooses device and precision, converts arrays, handles running out of memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from enhance.errors import EnhanceError, ModelFailed, OutOfMemory
from enhance.options import Setup
from enhance.records import FloatArray, StopCheck

log = logging.getLogger(__name__)

_CPU = torch.device("cpu")
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

Net = TypeVar("Net", bound=nn.Module)
T = TypeVar("T")


@dataclass(frozen=True)
class Device:
    """The device that networks run on, and their precision ("fp32", "bf16" or "fp16").

    memory_format: channels-last is faster for convolutions, but some networks cannot use it.
    """

    torch_device: torch.device
    precision: str
    memory_format: torch.memory_format = torch.channels_last

    @property
    def type(self) -> str:
        """ "cpu", "cuda" or "mps"."""
        return self.torch_device.type

    @classmethod
    def of(cls, setup: Setup) -> Device:
        """Resolve "auto" to the fastest device, and to the precision that suits it best.

        Raises EnhanceError if the requested device does not exist.
        """
        name = setup.device
        if name == "auto":
            name = next(filter(_has, ("cuda", "mps", "cpu")))
        elif not _has(name):
            raise EnhanceError(
                "This machine has no {device} device. Use --device auto or cpu.", device=name
            )
        wanted = setup.precision
        precision = _best_precision(name) if wanted == "auto" else wanted
        return cls(torch.device(name), precision)

    def settle(self, net: Net) -> Net:
        """Move the net to this device and precision, ready for inference."""
        net.requires_grad_(False).eval()
        return net.to(self.torch_device, _DTYPES[self.precision], memory_format=self.memory_format)  # type: ignore[call-overload, no-any-return]

    def put(self, pixels: FloatArray) -> Tensor:
        """(n, h, w, c) float32 → (n, c, h, w) in this precision."""
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        return batch.to(
            self.torch_device, _DTYPES[self.precision], memory_format=self.memory_format
        )


class ResidentNet:
    """A network on its device: arrays in, arrays out."""

    def __init__(self, net: nn.Module, device: Device) -> None:
        """net: (n, c, h, w) → (n, c', h', w'), or a tuple that begins with that; it is moved to the
        device and kept there."""
        self._net = device.settle(net)
        self.device = device

    def __call__(self, pixels: FloatArray) -> FloatArray:
        """(n, h, w, c) float32 → (n, h', w', c') float32, both in main memory.

        If values overflow in half precision, the network runs again in fp32. Raises ModelFailed if
        there are infinities or NaNs even then.
        """
        result = self._run(pixels)
        if _finite(result):
            return result
        if self.device.precision != "fp32":
            log.warning("a network's values overflowed in %s: again in fp32", self.device.precision)
            with self._moved(replace(self.device, precision="fp32")):
                result = self._run(pixels)
            if _finite(result):
                return result
        raise ModelFailed(
            "The model did not produce a valid image. Choose another model, or "
            "set the precision to fp32."
        )

    @torch.inference_mode()
    def _run(self, pixels: FloatArray) -> FloatArray:
        made = self._net(self.device.put(pixels))
        first: Tensor = made[0] if isinstance(made, tuple) else made
        return first.float().permute(0, 2, 3, 1).cpu().numpy()

    def shrinking(
        self,
        size: int,
        smallest: int,
        attempt: Callable[[int], T],
        stop_check: StopCheck = lambda: None,
    ) -> T:
        """Call `attempt(size)`; halve the size whenever the device runs out of memory, down to
        `smallest`, then start over on the CPU. stop_check: see `interruptible`.

        Raises OutOfMemory if even that fails.
        """
        tried = size
        while True:
            try:
                with _memory_errors(), self.interruptible(stop_check):
                    return attempt(tried)
            except OutOfMemory:
                if tried <= smallest and self.device.type == "cpu":
                    raise
            # Outside the handler, so that the failed attempt's tensors are no longer referenced.
            release()
            if tried <= smallest:
                break
            tried = max(smallest, tried // 2)
            log.warning("out of memory, trying again at size %d", tried)
        log.warning("the device's memory does not suffice, going on with the CPU")
        # Not in bf16, which would round the weights permanently.
        with self._moved(_cpu_like(self.device)):
            release()
            return self.shrinking(size, smallest, attempt, stop_check)

    @contextmanager
    def interruptible(self, stop_check: StopCheck) -> Iterator[None]:
        """Call `stop_check` before each convolution and linear layer, because one tile can take a
        minute on a CPU."""
        layers = [m for m in self._net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        hooks = [m.register_forward_pre_hook(lambda *_: stop_check()) for m in layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def _moved(self, device: Device) -> Iterator[None]:
        """Move the network for the duration of the block. If the usual device then has no memory
        for it, it stays on the CPU."""
        usual = self.device
        try:
            with _memory_errors():
                self._move(device)
            yield
        finally:
            try:
                self._move(usual)
            except torch.OutOfMemoryError:
                log.warning("the device has no memory for the network itself: it stays on the CPU")
                self._move(_cpu_like(usual))

    def _move(self, device: Device) -> None:
        device.settle(self._net)
        self.device = device


def _cpu_like(device: Device) -> Device:
    """The CPU in fp32, for a network that has run on `device`."""
    return Device(_CPU, "fp32", device.memory_format)


def _finite(values: FloatArray) -> bool:
    """Whether all values are finite; if one is not, then neither is their sum."""
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(values.sum(dtype=np.float64)))


def release() -> None:
    """Return cached memory to the device."""
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
    return bool(torch.get_device_module(device).is_available())


def _best_precision(device: str) -> str:
    """The precision at which the device is fastest. Looked up, not timed, so that the machine's
    load cannot change the results."""
    if device == "cuda":
        return "fp16" if torch.cuda.get_device_capability() >= (7, 0) else "fp32"
    if device == "mps":
        return "fp16"
    can = torch.cpu.get_capabilities()
    return (
        "bf16" if any(can.get(key) for key in ("avx512_bf16", "amx_bf16", "sve_bf16")) else "fp32"
    )
