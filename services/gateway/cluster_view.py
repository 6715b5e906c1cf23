"""The workers as this gateway last saw them. Good for showing and planning; the workers decide."""

from collections.abc import Mapping

from shared.cluster_state import WorkerState
from shared.digest import Digest
from shared.leases import Roster


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
