"""The weight files that may be downloaded, as data: no disk, no network."""

from __future__ import annotations

import os
from dataclasses import dataclass

from enhance.sentences import say

_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class WeightFile:
    """A weight file: where it may come from and what its bytes must be.

    `urls` has the official address first, then mirrors on Hugging Face, written as its own file
    system writes them: hf://owner/repo/path or hf://datasets/owner/repo/path. Mirrors are uploads
    of third parties: only the hash vouches for what comes from any address.
    """

    name: str
    filename: str
    urls: tuple[str, ...]
    size: int
    sha256: str
    licence: str
    about: str

    def addresses(self) -> tuple[str, ...]:
        """`urls` as web addresses. HF_ENDPOINT names another Hugging Face server."""
        return tuple(_resolve(url) for url in self.urls)


def _resolve(url: str) -> str:
    if not url.startswith("hf://"):
        return url
    parts = url.removeprefix("hf://").split("/")
    repo_parts = 3 if parts[0] == "datasets" else 2
    repo, path = "/".join(parts[:repo_parts]), "/".join(parts[repo_parts:])
    endpoint = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    return f"{endpoint}/{repo}/resolve/main/{path}"


_GFPGAN = "https://github.com/TencentARC/GFPGAN/releases/download"
_REALESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download"

_GFPGAN_LICENCE = say(
    "Apache-2.0; its LICENSE file also includes NVIDIA's terms for StyleGAN2 "
    "(research or evaluation only) and those of DFDNet"
)

_FILES = (
    WeightFile(
        name="gfpgan-1.2",
        filename="GFPGANv1.2.pth",
        urls=(f"{_GFPGAN}/v1.3.0/GFPGANv1.2.pth", "hf://leonelhs/gfpgan/GFPGANv1.2.pth"),
        size=348632874,
        sha256="29e25ee90c170f4231163f4c83df6b59c968b73f3ce00cb884015ae005db083c",
        licence=_GFPGAN_LICENCE,
        about=say("GFPGAN 1.2: restores faces; sharper than later versions."),
    ),
    WeightFile(
        name="gfpgan-1.3",
        filename="GFPGANv1.3.pth",
        urls=(
            f"{_GFPGAN}/v1.3.0/GFPGANv1.3.pth",
            "hf://leonelhs/gfpgan/GFPGANv1.3.pth",
            "hf://datasets/Gourieff/ReActor/models/facerestore_models/GFPGANv1.3.pth",
        ),
        size=348632874,
        sha256="c953a88f2727c85c3d9ae72e2bd4846bbaf59fe6972ad94130e23e7017524a70",
        licence=_GFPGAN_LICENCE,
        about=say("GFPGAN 1.3: restores faces; more natural than 1.2."),
    ),
    WeightFile(
        name="gfpgan-1.4",
        filename="GFPGANv1.4.pth",
        urls=(
            f"{_GFPGAN}/v1.3.0/GFPGANv1.4.pth",
            "hf://leonelhs/gfpgan/GFPGANv1.4.pth",
            "hf://datasets/Gourieff/ReActor/models/facerestore_models/GFPGANv1.4.pth",
        ),
        size=348632874,
        sha256="e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
        licence=_GFPGAN_LICENCE,
        about=say("GFPGAN 1.4: restores faces; more detail and truer to the person than 1.3."),
    ),
    WeightFile(
        name="restoreformer",
        filename="RestoreFormer.pth",
        urls=(
            f"{_GFPGAN}/v1.3.4/RestoreFormer.pth",
            "hf://leonelhs/gfpgan/RestoreFormer.pth",
            "hf://martintomov/comfy/facerestore_models/RestoreFormer.pth",
        ),
        size=290785322,
        sha256="07404d446d62ca3d5ed38b1de09a947a1e77d46dbccec961a74d713a8f24ace0",
        licence=say("not stated by its authors"),
        about=say("RestoreFormer: restores faces with a transformer."),
    ),
    WeightFile(
        name="realesrgan-x2plus",
        filename="RealESRGAN_x2plus.pth",
        urls=(
            f"{_REALESRGAN}/v0.2.1/RealESRGAN_x2plus.pth",
            "hf://LykosAI/Upscalers/RealESRGAN/RealESRGAN_x2plus.pth",
        ),
        size=67061725,
        sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        licence="BSD-3-Clause",
        about=say("Real-ESRGAN: doubles the resolution of photos."),
    ),
    WeightFile(
        name="realesr-general-x4v3",
        filename="realesr-general-x4v3.pth",
        urls=(
            f"{_REALESRGAN}/v0.2.5.0/realesr-general-x4v3.pth",
            "hf://leonelhs/gfpgan/realesr-general-x4v3.pth",
        ),
        size=4885111,
        sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        licence="BSD-3-Clause",
        about=say("Real-ESRGAN, small and fast: quadruples the resolution of photos."),
    ),
    WeightFile(
        name="retinaface-r50",
        filename="detection_Resnet50_Final.pth",
        urls=(
            f"{_FACEXLIB}/v0.1.0/detection_Resnet50_Final.pth",
            "hf://leonelhs/facexlib/detection_Resnet50_Final.pth",
        ),
        size=109497761,
        sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf31840b0a5a16d",
        licence="MIT",
        about=say("RetinaFace with a ResNet-50 backbone: finds faces."),
    ),
    WeightFile(
        name="parsenet",
        filename="parsing_parsenet.pth",
        urls=(
            f"{_FACEXLIB}/v0.2.2/parsing_parsenet.pth",
            "hf://leonelhs/facexlib/parsing_parsenet.pth",
        ),
        size=85331193,
        sha256="3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
        licence=say("MIT as part of facexlib; derived from PSFRGAN (CC BY-NC-SA 4.0)"),
        about=say("ParseNet: tells skin, hair and background apart around a face."),
    ),
)

CATALOGUE = {file.name: file for file in _FILES}
