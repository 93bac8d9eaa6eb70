"""Which engine the environment asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from enhance.engines.base import Engine
from enhance.engines.local import LocalEngine
from enhance.errors import OptionsError
from enhance.i18n import say
from enhance.limits import Limits
from enhance.pipeline import Enhancer


def open_engine(
    load: Callable[[], Enhancer], limits: Limits, environment: Mapping[str, str] = os.environ
) -> Engine:
    """An engine in this process or, with ENHANCE_ENGINE=ray, a pool on Ray with ENHANCE_REPLICAS
    replicas (a number or `auto`). `load` makes an enhancer in any process that needs one.

    On a Space with ZeroGPU (SPACES_ZERO_GPU) the local engine uses the GPUs that are lent to it.
    Raises OptionsError for other values, and if Ray is not installed or cannot be reached.
    """
    kind = environment.get("ENHANCE_ENGINE", "local")
    if kind == "local" and environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"):
        from enhance.engines.zero import LentEnhancer

        lent = LentEnhancer(load)  # now: ZeroGPU must know of it before the page is served
        return LocalEngine(lambda: lent, limits)
    if kind == "local":
        return LocalEngine(load, limits)
    if kind != "ray":
        raise OptionsError(say("ENHANCE_ENGINE must be local or ray, not {value!r}.", value=kind))
    replicas = environment.get("ENHANCE_REPLICAS", "auto")
    if replicas != "auto" and not (replicas.isdecimal() and int(replicas)):
        raise OptionsError(
            say(
                "ENHANCE_REPLICAS must be auto or a whole number of at least 1, not {value!r}.",
                value=replicas,
            )
        )
    try:
        from enhance.engines.ray import RayEngine
    except ImportError as error:
        raise OptionsError(
            say("ENHANCE_ENGINE=ray needs Ray: pip install -r requirements-ray.txt.")
        ) from error
    return RayEngine(load, limits, None if replicas == "auto" else int(replicas))
