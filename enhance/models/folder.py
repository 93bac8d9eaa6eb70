"""The folder into which people drop their own models.

Each file is read once, as a whole, to identify it. The result is remembered until the file changes,
in the weights folder too, so that listing models needs neither torch nor the files' contents.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from stat import S_ISREG

from enhance.errors import EnhanceError, WeightsError
from enhance.files import write_bytes
from enhance.i18n import say
from enhance.models.files import ModelFile
from enhance.models.verified import weights_folder

log = logging.getLogger(__name__)

_SUFFIXES = (".pth", ".safetensors", ".ckpt")


@dataclass(frozen=True)
class Identity:
    """What spandrel says about a model. purpose: "FaceSR", "Inpainting", "Colorization", or any
    other, which is to enlarge or clean photos."""

    architecture: str
    purpose: str
    scale: int
    parameters: int

    @property
    def about(self) -> str:
        """What the model does."""
        if self.purpose == "FaceSR":
            return say("{architecture}: restores faces.", architecture=self.architecture)
        if self.purpose == "Inpainting":
            return say("{architecture}: fills in wide damage.", architecture=self.architecture)
        if self.purpose == "Colorization":
            return say("{architecture}: gives gray photos colors.", architecture=self.architecture)
        if self.scale == 1:
            return say("{architecture}: restores photos.", architecture=self.architecture)
        return say(
            "{architecture}: enlarges photos {scale} times.",
            architecture=self.architecture,
            scale=self.scale,
        )


_lock = threading.Lock()
_known: dict[ModelFile, Identity] = {}
_refused: dict[ModelFile, WeightsError] = {}


def models_folder() -> Path:
    """ENHANCE_MODELS_DIR, or "models" beside the weights folder."""
    named = os.environ.get("ENHANCE_MODELS_DIR")
    return Path(named).expanduser().absolute() if named else weights_folder().with_name("models")


def identified() -> dict[ModelFile, Identity]:
    """The usable models that are in the folder now, in the order of their names."""
    return {file: _known[file] for file in _examined() if file in _known}


def refused() -> dict[str, EnhanceError]:
    """Why each of the other files in the folder cannot be used, by file name."""
    return {file.path.name: _refused[file] for file in _examined() if file in _refused}


def _examined() -> list[ModelFile]:
    """The files that are in the folder now, each of which has been identified or refused."""
    files = _files()
    with _lock:
        new = [file for file in files if file not in _known and file not in _refused]
        if new and (remembered := _remembered()):
            _known.update((file, remembered[file]) for file in new if file in remembered)
        for file in new:
            if file not in _known:
                _identify(file)
    return files


def _files() -> list[ModelFile]:
    found = []
    for path in models_folder().glob("[!.]*"):
        if path.suffix in _SUFFIXES and path.name.isprintable():
            with suppress(OSError):  # the file may just have been deleted
                stat = path.stat()
                if S_ISREG(stat.st_mode):
                    found.append(ModelFile(path, stat.st_size, stat.st_mtime_ns))
    return sorted(found, key=lambda file: file.path.name.casefold())


def _identify(file: ModelFile) -> None:
    """Identify a file and remember the result."""
    from enhance.models.foreign import COLORS, read_model  # imports torch

    try:
        model = read_model(file.path)
    except WeightsError as error:
        log.warning("%s", error)
        _refused[file] = error
        return
    architecture = model.architecture.id
    _known[file] = Identity(
        architecture=architecture,
        purpose="Colorization" if architecture == COLORS else model.purpose,
        scale=model.scale,
        parameters=sum(parameter.numel() for parameter in model.model.parameters()),
    )
    rows = [
        [str(file.path), file.size, file.changed, asdict(identity)]
        for file, identity in _known.items()
    ]
    with suppress(OSError):  # in a read-only folder, files are identified again at each start
        _record().parent.mkdir(parents=True, exist_ok=True)
        write_bytes(_record(), json.dumps(rows).encode())


def _record() -> Path:
    return weights_folder() / "models.json"


def _remembered() -> dict[ModelFile, Identity]:
    """What earlier processes found; nothing if the record is missing or in another format."""
    try:
        rows = json.loads(_record().read_bytes())
        return {
            ModelFile(Path(path), size, changed): Identity(**identity)
            for path, size, changed, identity in rows
        }
    except (OSError, ValueError, TypeError):
        return {}
