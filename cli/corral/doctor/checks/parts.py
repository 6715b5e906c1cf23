"""The parts of the cluster: versions, registry, workers, models, smoke generations."""

from collections.abc import Sequence
from typing import Final

from corral.doctor.cluster import Cluster
from corral.doctor.facts import Model, Smoke
from corral.doctor.findings import Finding, counted, ok, problem, skipped, warning
from corral.format import human_bytes

DRAINING_S_MAX: Final = 300.0
SMOKE_AGE_S_MAX: Final = 3600.0


def versions(cluster: Cluster, own_version: str) -> Finding:
    """What does not say its version is older than those that do."""
    parts = {
        "this command": own_version,
        **{f"gateway {gateway.id}": gateway.version for gateway in cluster.gateways},
        **{f"worker {worker.id}": worker.version for worker in cluster.workers},
    }
    if not cluster.registry.problem:
        parts["the registry"] = cluster.registry.version
    others = [f"{name} is {version or 'older'}" for name, version in parts.items() if version != cluster.version]
    if not others:
        return ok(f"{cluster.version} everywhere")
    return warning(
        f"the gateway is {cluster.version}; {', '.join(others)}",
        "Update what is older: docker compose build && docker compose up -d; pip install -U corral for this command.",
    )


def registry(cluster: Cluster) -> Finding:
    if cluster.registry.problem:
        return problem(
            cluster.registry.problem,
            "docker compose logs registry; CORRAL_GATEWAY_REGISTRY_URL says where the gateway looks for it.",
        )
    return ok(f"answers, keeps {human_bytes(cluster.registry.store_bytes or 0)}")


def workers(cluster: Cluster) -> Finding:
    if not cluster.workers:
        return problem("there is none: nothing is generated", "docker compose up -d worker; docker compose logs worker")
    stuck = [one for one in cluster.workers if one.draining and (one.draining_s or 0.0) > DRAINING_S_MAX]
    if stuck:
        names = ", ".join(f"{one.id} (for {one.draining_s or 0.0:.0f} s)" for one in stuck)
        return warning(f"drains and does not end: {names}", "Look at its log, then: docker compose restart worker")
    resident_count = sum(len(worker.models) for worker in cluster.workers)
    return ok(f"{counted(len(cluster.workers), 'worker')}, {counted(resident_count, 'model')} in memory")


def models(cluster: Cluster, known: Sequence[Model] | None) -> Finding:
    """A model needs at least the memory that its files have."""
    if not cluster.workers:
        return skipped("no worker")
    if known is None:
        return skipped("they could not be listed")
    if not known:
        return warning("there is none", "corral pull MODEL")
    room_bytes = max(worker.memory_bytes_max + worker.device_memory_bytes_max for worker in cluster.workers)
    large = [f"{model.name} ({human_bytes(model.size_bytes)})" for model in known if model.size_bytes > room_bytes]
    if large:
        return problem(
            f"no worker has room for {', '.join(large)}; the largest offers {human_bytes(room_bytes)}",
            "Give a worker more memory (CORRAL_WORKER_MEMORY_BYTES_MAX) or take a smaller quantization.",
        )
    return ok(f"{len(known)}, each small enough for a worker")


def smokes(last: Sequence[Smoke] | None) -> Finding:
    if not last:
        return skipped("none was made yet: they are, of models in memory, every CORRAL_GATEWAY_SMOKE_INTERVAL_S")
    recent = [smoke for smoke in last if smoke.age_s <= SMOKE_AGE_S_MAX]
    failed = [smoke for smoke in recent if smoke.outcome != "ok"]
    if failed:
        return problem(
            f"the last one failed: {', '.join(f'{smoke.model} ({smoke.outcome})' for smoke in failed)}",
            f"corral smoke {failed[0].model}",
        )
    return ok(f"{len(recent)} went well in the last hour") if recent else skipped("none in the last hour")
