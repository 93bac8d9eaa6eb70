"""How many replicas a cluster has room for, and the resources that each gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray._private.state import available_resources_per_node

from enhance.errors import OptionsError
from enhance.i18n import say

_THREADS = 4  # per replica on CPUs: enough for one photo, few enough for many replicas
_GPU_BYTES = 6 * 2**30  # per replica on a GPU: its models, and the work on a tile of 512 pixels

remote: Any = ray.remote  # its type hints cover only use as a decorator


@dataclass(frozen=True)
class Plan:
    """The greatest number of replicas, and the CPUs and GPUs for each; one without a GPU runs one
    thread per CPU."""

    replicas: int
    cpus: int
    gpus: float

    @classmethod
    def of(
        cls, cpus: Sequence[int], gpu_bytes: Sequence[int], least: int | None, most: int | None
    ) -> Plan:
        """cpus: CPUs of each node. gpu_bytes: free memory of each GPU in the cluster. most: how
        many replicas; None for as many as there is room for. least: None for as many as `most`.

        If there are GPUs, replicas share each as far as the memory of the smallest allows.
        Otherwise a fixed number of replicas shares all CPUs, while each of a number that varies
        gets a group of CPUs on one node.

        Raises OptionsError if there are neither CPUs nor GPUs.
        """
        if gpu_bytes:
            sharing = max(1, min(gpu_bytes) // _GPU_BYTES)
            replicas = most or sharing * len(gpu_bytes)
            return cls(replicas, 1, 1 / max(sharing, -(-replicas // len(gpu_bytes))))
        usable = [*filter(None, cpus)]  # a head node may have no CPUs
        if not usable:
            raise OptionsError(
                say(
                    "No node of this Ray cluster has CPUs or GPUs for models. Start one, "
                    "then try again."
                )
            )
        if most and least in (None, most):
            return cls(most, max(1, min(max(usable), sum(usable) // most)), 0)
        group = min([_THREADS, *usable])
        return cls(most or sum(node // group for node in usable), group, 0)

    @classmethod
    def of_cluster(cls, least: int | None, most: int | None) -> Plan:
        """The plan for the cluster that this process is connected to; see `of`."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = int(sum(node.get("GPU", 0) for node in nodes))
        probe = remote(num_gpus=1, num_cpus=0)(_free_gpu_bytes)
        gpu_bytes = ray.get([probe.remote() for _ in range(gpus)])  # all at once: one per GPU
        return cls.of([int(node.get("CPU", 0)) for node in nodes], gpu_bytes, least, most)

    def fits(self) -> bool:
        """Whether one more replica could start on some node now."""
        return any(
            node.get("CPU", 0) >= self.cpus and node.get("GPU", 0) >= self.gpus
            for node in available_resources_per_node().values()
        )

    def actor(self, kind: type) -> Any:
        """A Ray actor class for `kind` with these resources. Two calls may run at once, so that
        "stop" reaches an actor that is busy."""
        resources = {"num_cpus": self.cpus, "num_gpus": self.gpus}
        return remote(**resources, max_restarts=-1, max_concurrency=2)(kind)


def _free_gpu_bytes() -> int:
    from enhance.networks.resident import free_gpu_bytes

    return free_gpu_bytes()
