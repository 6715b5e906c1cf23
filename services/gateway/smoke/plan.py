"""What a round of smokes tries, and when it leaves a model alone. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from shared.cluster_state import ResidentModel, WorkerState
from shared.digest import Digest
from shared.model_index import ModelEntry


class Obstacle(Enum):
    """Why a model is not tried now."""

    ABSENT = "absent"  # no worker has it ready, and a smoke is no reason to load it
    BUSY = "busy"  # people wait for it, or have all its slots: it works, and they come first


def obstacle_to(weights: Digest, workers: Iterable[WorkerState], *, waiting_count: int) -> Obstacle | None:
    """None where a smoke would be taken at once and be in nobody's way. `waiting_count` is the model's queue."""
    copies = [copy for worker in workers for copy in _ready(worker) if copy.weights == weights]
    if not copies:
        return Obstacle.ABSENT
    has_free_slot = any(copy.slots_in_use < copy.slots_count for copy in copies)
    return None if has_free_slot and not waiting_count else Obstacle.BUSY


def targets(workers: Mapping[str, WorkerState], entries: Iterable[ModelEntry]) -> list[list[ModelEntry]]:
    """Every model that a worker has ready, once, in groups that are tried at the same time.

    Those of a group follow each other, because they are in memory on the same worker and would slow each other. Of
    models that share their weights, the one is tried that they were loaded for, as long as it exists.
    """
    by_weights: dict[Digest, list[ModelEntry]] = {}
    for entry in sorted(entries, key=lambda one: one.name):
        by_weights.setdefault(entry.weights, []).append(entry)
    groups: list[list[ModelEntry]] = []
    for _, worker in sorted(workers.items()):
        copies = [copy for copy in _ready(worker) if copy.weights in by_weights]
        groups.append([_named(copy.model, by_weights.pop(copy.weights)) for copy in copies])
    return [group for group in groups if group]


def _ready(worker: WorkerState) -> Sequence[ResidentModel]:
    return () if worker.draining else [model for model in worker.models if model.state == "ready"]


def _named(full_name: str, entries: Sequence[ModelEntry]) -> ModelEntry:
    return next((entry for entry in entries if entry.name.full == full_name), entries[0])
