"""Which worker should load which model: one pure function, run by whichever gateway leads."""

from collections.abc import Mapping

import msgspec

from shared.cluster_state import WorkerState
from shared.digest import Digest


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Ask `worker_id` to make `weights` resident under the name `model`."""

    worker_id: str
    weights: Digest
    model: str


def plan(demand: Mapping[Digest, str], workers: Mapping[str, WorkerState]) -> list[Load]:
    """A load for every demanded model that no worker holds or is loading.

    The worker with the fewest models takes it, then the one with the most free memory, that of GPUs first, then the
    first by name.
    Workers are the authority on memory: one that must evict first, or refuses, is the worker's own decision.
    """
    planned: dict[str, int] = dict.fromkeys(workers, 0)
    loads: list[Load] = []
    for weights in sorted(demand):
        if any(state.holds(weights) for state in workers.values()):
            continue
        candidates = [name for name, state in workers.items() if not state.draining]
        if not candidates:
            continue
        chosen = min(
            candidates,
            key=lambda name: (
                len(workers[name].models) + planned[name],
                workers[name].device_memory_bytes_used - workers[name].device_memory_bytes_max,
                workers[name].memory_bytes_used - workers[name].memory_bytes_max,
                name,
            ),
        )
        planned[chosen] += 1
        loads.append(Load(worker_id=chosen, weights=weights, model=demand[weights]))
    return loads
