"""The folder into which people drop their own models.

Each file is read once, as a whole, to identify it. The result is remembered until the file changes,
in the weights folder too, so that listing models needs neither torch nor the files' contents.
"""

import json
import logging
import os
import re
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from enhance.errors import WeightsError
from enhance.files import write_bytes
from enhance.models.files import ModelFile, weights_folder

log = logging.getLogger(__name__)

_NAME = re.compile(r"[^.].*\.(pth|safetensors|ckpt)")


@dataclass(frozen=True)
class Identity:
    """What spandrel says about a model. purpose: "FaceSR", "Inpainting", "Colorization", or any
    other, which is to enlarge or clean photos."""

    architecture: str
    purpose: str
    scale: int
    parameters: int


_lock = threading.Lock()
_seen: dict[ModelFile, Identity | WeightsError] = {}


def models_folder() -> Path:
    """ENHANCE_MODELS_DIR, or "models" beside the weights folder."""
    named = os.environ.get("ENHANCE_MODELS_DIR")
    return Path(named).expanduser().absolute() if named else weights_folder().with_name("models")


def identified() -> dict[ModelFile, Identity]:
    """The usable models that are in the folder now, in the order of their names."""
    return {file: what for file, what in _examined() if isinstance(what, Identity)}


def refused() -> dict[str, WeightsError]:
    """Why each of the other files in the folder cannot be used, by file name."""
    return {file.path.name: what for file, what in _examined() if isinstance(what, WeightsError)}


def _examined() -> list[tuple[ModelFile, Identity | WeightsError]]:
    """The files that are in the folder now, each with what it is or why it cannot be used. Cheap,
    as several things ask for each photo."""
    files = []
    with suppress(OSError), os.scandir(models_folder()) as found:
        for one in found:
            if _NAME.fullmatch(one.name) and one.name.isprintable() and one.is_file():
                with suppress(OSError):  # it may just have been deleted
                    stat = one.stat()
                    files.append(ModelFile(Path(one.path), stat.st_size, stat.st_mtime_ns))
    files.sort(key=lambda file: file.path.name.casefold())
    with _lock:
        if not _seen.keys() >= set(files):
            _examine([file for file in files if file not in _seen])
        return [(file, _seen[file]) for file in files]


def _examine(files: list[ModelFile]) -> None:
    """Find out what these files are; what earlier processes found out is in a record."""
    record = weights_folder() / "models.json"
    with suppress(OSError, ValueError, TypeError):  # missing, or in another format
        for path, size, changed, identity in json.loads(record.read_bytes()):
            _seen.setdefault(ModelFile(Path(path), size, changed), Identity(**identity))
    for file in files:
        if file not in _seen:
            _seen[file] = _identify(file)
            known = ((file, what) for file, what in _seen.items() if isinstance(what, Identity))
            rows = [[str(file.path), file.size, file.changed, asdict(what)] for file, what in known]
            with suppress(OSError):  # if read-only, files are identified again at each start
                record.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(record, json.dumps(rows).encode())


def _identify(file: ModelFile) -> Identity | WeightsError:
    from enhance.models.foreign import COLORS, read_model  # imports torch

    try:
        model = read_model(file.path)
    except WeightsError as error:
        log.warning("%s", error)
        return error
    architecture = model.architecture.id
    return Identity(
        architecture=architecture,
        purpose="Colorization" if architecture == COLORS else model.purpose,
        scale=model.scale,
        parameters=sum(parameter.numel() for parameter in model.model.parameters()),
    )
