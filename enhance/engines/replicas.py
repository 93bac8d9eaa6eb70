"""How many replicas a cluster has room for, and what each of them gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray

_THREADS = 4  # of a replica on CPUs: few enough for many photos, enough for one
_GPU_BYTES = 6 * 2**30  # of a replica on a GPU: its models, and a tile of 512 pixels in work

_remote: Any = ray.remote  # its types know only what is decorated where it is defined


@dataclass(frozen=True)
class Plan:
    """replicas: how many. cpus, gpus: for each; on CPUs it has as many threads as CPUs."""

    replicas: int
    cpus: int
    gpus: float

    @classmethod
    def of(cls, cpus: Sequence[int], gpu_bytes: Sequence[int], wanted: int | None) -> Plan:
        """cpus: of each node. gpu_bytes: free memory of each GPU of the cluster. wanted: number of
        replicas; None: as many as there is room for.

        With GPUs, replicas share one as far as their memory allows; else each gets a group of one
        node's CPUs.
        """
        if gpu_bytes:
            sharing = max(1, min(gpu_bytes) // _GPU_BYTES)
            replicas = wanted or sharing * len(gpu_bytes)
            return cls(replicas, 1, 1 / max(sharing, -(-replicas // len(gpu_bytes))))
        if wanted:
            return cls(wanted, max(1, min(max(cpus), sum(cpus) // wanted)), 0)
        group = max(1, min([_THREADS, *filter(None, cpus)]))  # a head may be there with none
        return cls(sum(node // group for node in cpus), group, 0)

    @classmethod
    def of_cluster(cls, wanted: int | None) -> Plan:
        """For the cluster that this process is connected to."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = int(sum(node.get("GPU", 0) for node in nodes))
        probe = _remote(num_gpus=1, num_cpus=0)(_free_gpu_bytes)
        gpu_bytes = ray.get([probe.remote() for _ in range(gpus)])  # at once: each on its own
        return cls.of([int(node.get("CPU", 0)) for node in nodes], gpu_bytes, wanted)

    def actor(self, kind: type) -> Any:
        """An actor class of Ray for `kind`, with these resources, which can be told to stop."""
        # A lost actor is not restarted by Ray: its photo goes to whoever is free first.
        resources = {"num_cpus": self.cpus, "num_gpus": self.gpus}
        return _remote(**resources, max_restarts=0, max_concurrency=2)(kind)


def _free_gpu_bytes() -> int:
    from enhance.networks.resident import free_gpu_bytes

    return free_gpu_bytes()
