"""Networks on devices: precision, memory that runs out."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.memory import in_use
from benchmarks.photos import astronaut
from enhance.errors import EnhanceError, ModelFailed, OutOfMemory
from enhance.networks import heap
from enhance.networks.resident import Device, ResidentNet
from enhance.options import Setup
from enhance.pipeline.build import ResidentModels
from tests.pictures import enlarged


class FullDevice(Device):
    """An accelerator without a byte left, or without one even for the network."""

    even_for_the_network = False

    def settle(self, net: Any) -> Any:
        if self.even_for_the_network:
            raise torch.OutOfMemoryError("full")
        return net.eval().to(torch.float16)

    def put(self, pixels: Any) -> Any:
        raise torch.OutOfMemoryError("full")


def test_the_cpu_takes_over_when_the_device_is_full_and_only_then() -> None:
    device = FullDevice(torch.device("cuda"), "fp16")
    net = ResidentNet(nn.Conv2d(3, 3, 1), device)
    tried: list[tuple[int, str]] = []
    pixels = np.ones((1, 4, 4, 3), np.float32)

    def attempt(size: int) -> Any:
        tried.append((size, net.device.type))
        return net(pixels)

    assert net.shrinking(4, 1, attempt).shape == pixels.shape
    assert tried == [(4, "cuda"), (2, "cuda"), (1, "cuda"), (4, "cpu")]
    assert net.device is device


def test_weights_are_the_same_after_the_cpu_has_taken_over() -> None:
    conv = nn.Conv2d(3, 3, 1)
    net = ResidentNet(conv, FullDevice(torch.device("cuda"), "fp16"))
    before = conv.weight.clone()
    net.shrinking(1, 1, lambda _: net(np.ones((1, 4, 4, 3), np.float32)))
    assert conv.weight.dtype == before.dtype and torch.equal(conv.weight, before)


def test_a_network_that_the_device_has_no_room_for_stays_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = ResidentNet(nn.Conv2d(3, 3, 1), FullDevice(torch.device("cuda"), "fp16"))
    monkeypatch.setattr(FullDevice, "even_for_the_network", True)
    pixels = np.ones((1, 4, 4, 3), np.float32)
    first = net.shrinking(1, 1, lambda _: net(pixels))
    assert net.device.type == "cpu"
    assert np.array_equal(net.shrinking(1, 1, lambda _: net(pixels)), first)


def test_a_full_main_memory_is_an_error_with_a_sentence() -> None:
    net = ResidentNet(nn.Conv2d(3, 3, 1), Device(torch.device("cpu"), "fp32"))

    def attempt(size: int) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(OutOfMemory, match="ran out of memory"):
        net.shrinking(2, 1, attempt)


def test_other_errors_are_not_taken_for_full_memory() -> None:
    net = ResidentNet(nn.Conv2d(3, 3, 1), Device(torch.device("cpu"), "fp32"))
    with pytest.raises(RuntimeError, match="expected input"):
        net.shrinking(2, 1, lambda _: net(np.ones((1, 4, 4, 5), np.float32)))


def test_a_device_that_is_not_there_is_named() -> None:
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(EnhanceError, match=f"no {missing} device"):
        Device.of(Setup(device=missing))  # type: ignore[arg-type]


def test_bfloat16_draws_the_same_picture(models_fp32: ResidentModels) -> None:
    photo = np.ascontiguousarray(astronaut()[76:108, 206:238])
    half = ResidentModels(Setup(device="cpu", precision="bf16"))
    exact, fast = (
        enlarged(m.upscaler("realesrgan"), photo, 4).rgb.astype(float) for m in (models_fp32, half)
    )
    assert 10 * np.log10(255**2 / np.mean((exact - fast) ** 2)) >= 40


class Overflowing(nn.Conv2d):
    """Gives infinity in half precision, as fp16 does beyond 65504."""

    always = False

    def forward(self, batch: Tensor) -> Tensor:
        result: Tensor = super().forward(batch)
        return result / 0 if self.always or batch.dtype != torch.float32 else result


def test_what_overflows_is_done_again_in_fp32() -> None:
    net = ResidentNet(Overflowing(3, 3, 1), Device(torch.device("cpu"), "bf16"))
    pixels = np.ones((1, 4, 4, 3), np.float32)
    assert np.isfinite(net(pixels)).all()
    assert net.device.precision == "bf16", "the next tile is tried as usual"


def test_a_model_that_gives_no_numbers_fails_with_a_sentence() -> None:
    broken = Overflowing(3, 3, 1)
    broken.always = True
    for precision in ("fp32", "bf16"):
        net = ResidentNet(broken, Device(torch.device("cpu"), precision))
        with pytest.raises(ModelFailed, match="valid image"):
            net(np.ones((1, 4, 4, 3), np.float32))


def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    heap.keep()
    heap.give_back()
    before = in_use()
    pixels = np.ones(25_000_000, np.float32)
    assert in_use() - before > 90
    del pixels
    assert in_use() - before > 90
    heap.give_back()
    assert in_use() - before < 10
