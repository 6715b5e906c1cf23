"""The workers as this gateway last saw them. Good for showing and planning; the workers decide."""

from collections.abc import Iterable, Mapping

import msgspec

from shared.cluster_state import WorkerState
from shared.digest import Digest
from shared.leases import Roster


class ModelProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How near a model is to answering: `absent`, `loading` or `ready`; the seconds are a load's, where they are known.

    `expected_s` is how long it took the last time on the worker that is loading it.
    """

    state: str
    elapsed_s: float | None = None
    expected_s: float | None = None


def progress_of(weights: Digest, workers: Iterable[WorkerState], *, now_unix_ms: int) -> ModelProgress:
    """The nearest of all copies; of several being loaded, the one that began first."""
    copies = [model for worker in workers for model in worker.models if model.weights == weights]
    if any(copy.state == "ready" for copy in copies):
        return ModelProgress(state="ready")
    loads = [
        (copy.loading_since_unix_ms, copy.load_expected_s) for copy in copies if copy.loading_since_unix_ms is not None
    ]
    if not loads:
        return ModelProgress(state="absent")
    since_unix_ms, expected_s = min(loads, key=lambda load: load[0])
    # The clocks of two machines may differ.
    return ModelProgress(state="loading", elapsed_s=max(0, now_unix_ms - since_unix_ms) / 1000, expected_s=expected_s)


class ClusterView:
    """Refreshed by the watchdog and the leader; read everywhere without waiting."""

    def __init__(self, roster: Roster[WorkerState]) -> None:
        self._roster = roster
        self.workers: Mapping[str, WorkerState] = {}

    async def refresh(self) -> Mapping[str, WorkerState]:
        self.workers = await self._roster.members()
        return self.workers

    def is_resident(self, weights: Digest) -> bool:
        return any(state.holds(weights) for state in self.workers.values())
