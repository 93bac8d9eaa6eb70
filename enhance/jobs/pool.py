"""The command `pool`: bring up the models that a Ray cluster shares, look at them, end them."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from enhance.engines.choice import replica_range
from enhance.errors import EnhanceError
from enhance.limits import Limits
from enhance.options import DeviceName, Precision, Setup
from enhance.pipeline.enhancer import load_enhancer


def main(arguments: Sequence[str]) -> int:
    """`pool up|status|down`. Returns the exit code: 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(
        prog="enhance pool",
        description="The models of a running Ray cluster (RAY_ADDRESS), which all front ends and "
        "commands with ENHANCE_ENGINE=ray share. up: start as many replicas as ENHANCE_REPLICAS "
        "says, unless there is a pool already. status: what they are doing. down: stop them and "
        "free their memory.",
    )
    parser.add_argument("action", choices=("up", "status", "down"))
    add_setup(parser, "a weight file or a folder, on every node")
    wanted = parser.parse_args(arguments)
    try:
        from enhance.engines import ray_pool
        from enhance.engines.ray import RayEngine
    except ImportError:
        print("This command needs Ray: pip install -r requirements-ray.txt.", file=sys.stderr)
        return 1
    try:
        ray_pool.connect("auto")
        if wanted.action == "up":
            setup = Setup(wanted.device, wanted.precision, wanted.weights)
            allowed = Limits.from_environment()
            load = partial(load_enhancer, setup, allowed)
            RayEngine(load, allowed, setup, replica_range()).load()
        if wanted.action == "down":
            ray_pool.take_down()
        else:
            print(*ray_pool.result(ray_pool.find().status.remote()), sep="\n")
    except EnhanceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def add_setup(parser: argparse._ActionsContainer, weights: str) -> None:
    """Add the arguments that say what to load. weights: what is said about that argument."""
    setup = Setup()
    parser.add_argument("--device", choices=get_args(DeviceName), default=setup.device)
    parser.add_argument("--precision", choices=get_args(Precision), default=setup.precision)
    parser.add_argument("--weights", type=Path, metavar="PATH", help=weights)
