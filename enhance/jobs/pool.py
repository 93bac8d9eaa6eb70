"""The command `pool`: bring up the models that a Ray cluster shares, look at them, end them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from enhance.engines.choice import load_resident, replica_range
from enhance.errors import EnhanceError
from enhance.limits import Limits
from enhance.options import DeviceName, Precision, Setup


def main(arguments: Sequence[str]) -> int:
    """`pool up|status|down`. Returns the exit code: 0, or 1 with a sentence on standard error."""
    wanted = _parser().parse_args(arguments)
    try:
        from enhance.engines import cluster
    except ImportError:
        print("This command needs Ray: pip install -r requirements-ray.txt.", file=sys.stderr)
        return 1
    try:
        cluster.connect("auto")
        if wanted.action == "up":
            setup = Setup(wanted.device, wanted.precision, wanted.weights)
            allowed = Limits.from_environment()
            load = partial(load_resident, setup, allowed)
            cluster.deploy(cluster.deployment_for(load, allowed, setup, *replica_range()))
        elif wanted.action == "down":
            cluster.take_down()
            return 0
        found = cluster.status()
    except EnhanceError as error:
        print(error, file=sys.stderr)
        return 1
    print(found.deployment)
    print(f"replicas: {', '.join(found.replicas)}")
    print(f"photos waiting: {found.people} of people, {found.folders} of folder runs")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enhance pool",
        description="The models of a running Ray cluster (RAY_ADDRESS), which all front ends and "
        "commands with ENHANCE_ENGINE=ray share. up: start as many replicas as ENHANCE_REPLICAS "
        "says; if they are there already, renew them one by one without losing a photo. status: "
        "what they are doing. down: stop them and free their memory.",
    )
    add = parser.add_argument
    add("action", choices=("up", "status", "down"))
    setup = Setup()
    add("--device", choices=get_args(DeviceName), default=setup.device)
    add("--precision", choices=get_args(Precision), default=setup.precision)
    add("--weights", type=Path, metavar="PATH", help="a weight file or a folder, on every node")
    return parser
