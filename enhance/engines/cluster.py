"""The one pool of a Ray cluster: find it by its name, bring it up, renew it, take it down."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayTaskError

from enhance.engines.deployment import NAME, Deployment, no_pool
from enhance.engines.pool import Pool
from enhance.engines.pool_records import PoolStatus
from enhance.engines.replicas import Plan, remote
from enhance.errors import OptionsError, PoolGone
from enhance.i18n import say
from enhance.limits import Limits
from enhance.options import Setup
from enhance.pipeline import Enhancer

_HEAD = "node:__internal_head__"  # a resource that the head node of every cluster has


def connect(address: str | None = None) -> None:
    """Connect to the cluster that RAY_ADDRESS names, or else to the one on this machine. If there
    is none, start Ray here, unless the address is "auto".

    Raises OptionsError when Ray cannot be reached or started.
    """
    # By default Ray sends usage statistics to its developers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise OptionsError(
            say(
                "Ray cannot be reached or started ({reason}). Check RAY_ADDRESS.",
                reason=str(error),
            )
        ) from error


def find() -> Any:
    """The pool. Raises PoolGone if there is none."""
    try:
        return ray.get_actor(NAME, namespace=NAME)
    except ValueError as error:
        raise no_pool() from error


def deployment_for(
    load: Callable[[], Enhancer],
    limits: Limits,
    setup: Setup,
    least: int | None,
    most: int | None,
    idle_seconds: float = 300,
) -> Deployment:
    """The deployment for this cluster; see `Deployment`. least: None for as many as the most. most:
    None for as many as there is room for, see `Plan`.

    If there is a pool already, its replicas keep their CPUs and GPUs, which are in use.
    """
    try:
        find()
    except PoolGone:
        resources = Plan.of_cluster(least, most)
    else:
        resources = Deployment.stored().plan
        resources = replace(resources, replicas=most or resources.replicas)
    return Deployment(load, limits, setup, resources, least or resources.replicas, idle_seconds)


def bring_up(deployment: Deployment) -> Any:
    """Start the pool, unless there is one by now; then that one's deployment counts."""
    deployment.store(replaces=False)
    actor = remote(
        num_cpus=0,
        resources={_HEAD: 0.001},  # other nodes come and go
        max_restarts=-1,
        max_task_retries=-1,
        max_concurrency=100_000,  # photos that wait, of all front ends
    )(Pool)
    return actor.options(
        name=NAME, namespace=NAME, lifetime="detached", get_if_exists=True
    ).remote()


def deploy(deployment: Deployment) -> None:
    """Bring the pool up or, where there is one, renew its replicas one by one; returns when the
    models are loaded. Raises what loading raises."""
    try:
        call = find().deploy.remote(deployment)
    except PoolGone:
        call = bring_up(deployment).load.remote()
    result(call)


def take_down() -> None:
    """End the pool and its replicas. Raises PoolGone if there is none."""
    ray.kill(find())
    Deployment.forget()


def status() -> PoolStatus:
    """See `PoolStatus`. Raises PoolGone if there is no pool."""
    found: PoolStatus = result(find().status.remote())
    return found


def result(call: Any) -> Any:
    """What an actor's method returns. Raises what the method raises, as it was raised there."""
    try:
        return ray.get(call)
    except RayTaskError as error:
        raise error.cause from error
