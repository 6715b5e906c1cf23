"""The machines below the cluster: clocks, disks, GPUs."""

from collections.abc import Iterator
from typing import Final

from corral.doctor.cluster import Cluster, Disk, Worker
from corral.doctor.findings import Finding, ok, problem, skipped, warning, worst
from corral.format import human_bytes

SKEW_WARNING_MS: Final = 2_000
SKEW_PROBLEM_MS: Final = 30_000
FREE_WARNING: Final = 0.15
FREE_PROBLEM: Final = 0.05
FREE_BYTES_MIN: Final = 2 << 30


def clocks(cluster: Cluster, *, gateway_ahead_ms: int | None) -> Finding:
    """Each against that of the gateway that answered; `gateway_ahead_ms` is how far it is ahead of this machine's."""
    ahead_ms = dict(_ahead_ms(cluster))
    if gateway_ahead_ms is not None:
        ahead_ms["this machine"] = -gateway_ahead_ms
    if not ahead_ms:
        return skipped("nobody told the time")
    who = max(ahead_ms, key=lambda name: abs(ahead_ms[name]))
    worst_ms = abs(ahead_ms[who])
    if worst_ms <= SKEW_WARNING_MS:
        return ok(f"{len(ahead_ms)} clocks agree with the gateway's within {worst_ms / 1000:.2f} s")
    way = "ahead of" if ahead_ms[who] > 0 else "behind"
    judged = problem if worst_ms > SKEW_PROBLEM_MS else warning
    return judged(
        f"the clock of {who} is {worst_ms / 1000:.1f} s {way} the gateway's",
        "Deadlines and signed requests need one time: have the machines synchronize (timedatectl set-ntp true).",
    )


def _ahead_ms(cluster: Cluster) -> Iterator[tuple[str, int]]:
    if cluster.redis.clock_ahead_ms is not None:
        yield "Redis", cluster.redis.clock_ahead_ms
    for kind, parts in (("worker", cluster.workers), ("gateway", cluster.gateways)):
        for part in parts:
            if part.clock_ahead_ms is not None and part.id != cluster.gateway:
                yield f"{kind} {part.id}", part.clock_ahead_ms


def store(cluster: Cluster) -> Finding:
    registry = cluster.registry
    if registry.disk is None:
        return skipped("the registry does not tell")
    rooms = [room(registry.disk, "its disk", "Remove models: corral rm MODEL; or give the store a larger disk.")]
    if registry.store_bytes_max and registry.store_bytes is not None:
        left = Disk(
            free_bytes=max(0, registry.store_bytes_max - registry.store_bytes), total_bytes=registry.store_bytes_max
        )
        rooms.append(
            room(left, "its limit", "Remove models: corral rm MODEL; or raise CORRAL_REGISTRY_STORE_BYTES_MAX.")
        )
    return worst(rooms)


def caches(cluster: Cluster) -> Finding:
    disks = [(worker.id, worker.cache_disk) for worker in cluster.workers if worker.cache_disk is not None]
    if not disks:
        return skipped("no worker tells")
    todo = "Make room there, or set CORRAL_WORKER_CACHE_DIR to a larger disk."
    return worst(room(disk, f"worker {name}", todo) for name, disk in disks)


def room(disk: Disk, of: str, todo: str) -> Finding:
    share = disk.free_bytes / disk.total_bytes if disk.total_bytes else 0.0
    what = f"{human_bytes(disk.free_bytes)} free of {human_bytes(disk.total_bytes)} ({of})"
    if share < FREE_PROBLEM or disk.free_bytes < FREE_BYTES_MIN:
        return problem(what, todo)
    return warning(what, todo) if share < FREE_WARNING else ok(what)


def gpus(cluster: Cluster) -> Finding:
    if not cluster.workers:
        return skipped("no worker")
    return worst(finding for worker in cluster.workers for finding in _gpus_of(worker))


def _gpus_of(worker: Worker) -> Iterator[Finding]:
    if not worker.devices:
        yield _without_devices(worker)
        return
    names = ", ".join(device.name for device in worker.devices)
    yield ok(f"worker {worker.id} uses {names}")
    for model in worker.models:
        if model.state == "ready" and model.device_layers_count < model.layers_count:
            yield warning(
                f"{model.model} has {model.device_layers_count} of {model.layers_count} layers on {names} "
                f"(worker {worker.id}); the CPU computes the rest",
                "Keep fewer models at a time (CORRAL_WORKER_MAX_LOADED_MODELS), take a smaller quantization, or lower "
                "CORRAL_WORKER_CONTEXT_TOKENS; a num_gpu in the model's parameters sets it on purpose.",
            )


def _without_devices(worker: Worker) -> Finding:
    if worker.gpu_visible:
        return warning(
            f"worker {worker.id} has a GPU on its machine and fell back to the CPU",
            "Its llama.cpp cannot use this GPU, or the driver is not passed in (docs/gpu.md): "
            "docker compose -f compose.yaml -f compose.gpu.yaml up -d --build worker; the worker's log has "
            "devices_missed where asking the driver failed.",
        )
    return ok(f"worker {worker.id} has none and computes on the CPU")
