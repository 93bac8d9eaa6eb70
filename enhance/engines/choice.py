"""Which engine the environment asks for."""

import os
import re
from collections.abc import Mapping
from functools import partial

from enhance.engines.base import Engine
from enhance.engines.local import LocalEngine
from enhance.errors import OptionsError
from enhance.limits import Limits
from enhance.options import Setup
from enhance.pipeline.enhancer import load_enhancer


def open_engine(
    setup: Setup,
    limits: Limits,
    environment: Mapping[str, str] = os.environ,
    *,
    yields: bool = False,
) -> Engine:
    """An engine in this process or, with ENHANCE_ENGINE=ray, the way to a pool on Ray; see
    `replica_range` for ENHANCE_REPLICAS. yields: let photos that come from elsewhere go first.

    On a Space with ZeroGPU (SPACES_ZERO_GPU) the local engine uses the GPUs that are lent to it.
    Raises OptionsError for other values, and if Ray is not installed or cannot be reached.
    """
    kind = environment.get("ENHANCE_ENGINE", "local")
    load = partial(load_enhancer, setup, limits)
    if kind == "local" and environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"):
        from enhance.engines.zero import LentEnhancer

        lent = LentEnhancer(load)  # now: ZeroGPU must know of it before the page is served
        return LocalEngine(lambda: lent, limits)
    if kind == "local":
        return LocalEngine(load, limits)
    if kind != "ray":
        raise OptionsError("ENHANCE_ENGINE must be local or ray, not {value!r}.", value=kind)
    replicas = replica_range(environment)
    try:
        from enhance.engines.ray import RayEngine
    except ImportError as error:
        raise OptionsError(
            "ENHANCE_ENGINE=ray needs Ray: pip install -r requirements-ray.txt."
        ) from error
    return RayEngine(load, limits, setup, replicas, yields=yields)


def replica_range(environment: Mapping[str, str] = os.environ) -> tuple[int, int | None]:
    """The least and the most replicas that ENHANCE_REPLICAS asks for: `2`, `1..8` or `auto`, which
    is from one to as many as there is room for (None).

    Raises OptionsError for other values.
    """
    text = environment.get("ENHANCE_REPLICAS", "auto")
    if text == "auto":
        return 1, None
    found = re.fullmatch(r"([1-9]\d*)(?:\.\.([1-9]\d*))?", text, re.ASCII)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if least > most:
        raise OptionsError(
            "ENHANCE_REPLICAS must be auto, a whole number of at least 1, or a range "
            "such as 1..8, not {value!r}.",
            value=text,
        )
    return least, most
