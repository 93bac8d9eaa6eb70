from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from PIL import Image

from benchmarks.photos import Rgb
from benchmarks.upstream import prepare
from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Setup
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import load_enhancer
from enhance.records import Source

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

Save = Callable[..., Source]

prepare()  # tests import spandrel and basicsr like any other package

settings.register_profile("suite", derandomize=True, database=None)
settings.register_profile("thorough", max_examples=1000, database=None)
settings.load_profile("suite")

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Without an address Ray joins the cluster that it finds in this folder: another worker's.
    os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix=f"ray-{worker}-")


@pytest.fixture(scope="session")
def models() -> ResidentModels:
    return ResidentModels(Setup(device="cpu"))


@pytest.fixture(scope="session")
def models_fp32() -> ResidentModels:
    return ResidentModels(Setup(device="cpu", precision="fp32"))


@pytest.fixture(scope="session")
def engine() -> Iterator[LocalEngine]:
    with closing(
        LocalEngine(lambda: load_enhancer(Setup(device="cpu"), Limits()), Limits())
    ) as engine:
        yield engine


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write pixels as a photo: save("name.png", pixels) → its source."""

    def write(name: str, rgb: Rgb, **settings: object) -> Source:
        path = tmp_path / name
        Image.fromarray(rgb).save(path, **settings)  # type: ignore[arg-type]
        return Source.of(path)

    return write


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder for what a `Telling` notes."""
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A Ray cluster to which this process is connected, whose head has two CPUs. It and whatever
    runs on it end with the module."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 2, "object_store_memory": 200_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        ray.init(cluster.address, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
