"""What the replicas of a pool are, and how many; kept by the cluster itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ray import cloudpickle
from ray.experimental import internal_kv

from enhance.engines.replicas import Plan
from enhance.errors import PoolGone
from enhance.i18n import say
from enhance.limits import Limits
from enhance.options import Setup
from enhance.pipeline import Enhancer

NAME = "enhance"  # of the pool's actor, and of the namespace that it is in


@dataclass(frozen=True)
class Deployment:
    """load: makes the enhancer, in each replica, from `setup`. least, and plan.replicas, the most:
    how many replicas there are without and with load. idle_seconds: how long a replica beyond the
    least may have nothing to do."""

    load: Callable[[], Enhancer] = field(repr=False)
    limits: Limits = field(repr=False)
    setup: Setup
    plan: Plan
    least: int
    idle_seconds: float

    @property
    def most(self) -> int:
        """How many replicas there are at most."""
        return self.plan.replicas

    @property
    def text(self) -> str:
        """For people who look at the pool."""
        plan, setup = self.plan, self.setup
        return (
            f"{self.least} to {self.most} replicas of {plan.cpus} CPUs and {plan.gpus:.2g} GPUs; "
            f"device {setup.device}, precision {setup.precision}, "
            f"weights {setup.weights or 'bundled or downloaded'}"
        )

    def store(self, *, replaces: bool = True) -> None:
        """Keep it in the cluster's own memory, where a restarted pool finds it. replaces: the one
        that is there, if any."""
        internal_kv._internal_kv_put(
            NAME, cloudpickle.dumps(self), overwrite=replaces, namespace=NAME
        )

    @staticmethod
    def forget() -> None:
        """Undo `store`."""
        internal_kv._internal_kv_del(NAME, namespace=NAME)

    @classmethod
    def stored(cls) -> Deployment:
        """What `store` has kept. Raises PoolGone if there is nothing."""
        kept = internal_kv._internal_kv_get(NAME, namespace=NAME)
        if kept is None:
            raise no_pool()
        deployment: Deployment = cloudpickle.loads(kept)
        return deployment


def no_pool() -> PoolGone:
    """The error of looking for a pool where there is none."""
    return PoolGone(
        say(
            "There is no pool on this Ray cluster, or it was taken down. Start one with "
            "“python -m enhance pool up”."
        )
    )
