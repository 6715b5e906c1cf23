"""One model in memory: its runner, who uses it, and until when it stays.

(absent) → loading → ready → draining → (absent)
              └──────────────────────────↗      a failed load leaves nothing behind
The residency manager is the only one that changes the state.
"""

import asyncio
from enum import StrEnum

from services.worker.residency.sizes import Footprint, Opening
from services.worker.runner.messages import Opened
from services.worker.runner_process import RunnerProcess
from shared.cluster_state import ResidentModel
from shared.model_index import ModelEntry


class State(StrEnum):
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"


class Resident:
    """Mutable record; `leases` counts running generations, and keep-alive starts when the last one ends."""

    def __init__(
        self,
        entry: ModelEntry,
        *,
        opening: Opening,
        takes: Footprint,
        keep_alive_s: float,
        now_s: float = 0.0,
        load_expected_s: float | None = None,
    ) -> None:
        self.entry = entry
        self.opening = opening
        self.takes = takes
        self.keep_alive_s = keep_alive_s
        self.state = State.LOADING
        self.created_s = now_s
        self.load_expected_s = load_expected_s
        self.leases = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.last_used_s = 0.0
        self.opened: Opened | None = None
        self.runner: RunnerProcess | None = None
        self.context_tokens = 0
        self.load_reported = False  # whether a reply has told how long loading took

    @property
    def slots_count(self) -> int:
        return self.opening.slots_count

    @property
    def needs_cores(self) -> bool:
        """Whether the CPU computes some of it; what is wholly on GPUs needs one thread that feeds them."""
        return self.takes.host_bytes > 0

    @property
    def pinned(self) -> bool:
        return self.keep_alive_s < 0

    def expires_s(self) -> float | None:
        """When it may go (on the monotonic clock); None while it is in use or pinned."""
        if self.leases or self.pinned:
            return None
        return self.last_used_s + self.keep_alive_s

    def public(self, *, now_s: float, now_unix_ms: int) -> ResidentModel:
        """What the heartbeat says of it. While busy, expiry is shown as if the last generation ended now."""
        expires_unix_ms = None
        if not self.pinned:
            last_used_s = now_s if self.leases else self.last_used_s
            expires_unix_ms = now_unix_ms + round((last_used_s + self.keep_alive_s - now_s) * 1000)
        is_loading = self.state is State.LOADING
        return ResidentModel(
            weights=self.entry.weights,
            model=self.entry.name.full,
            state=self.state,
            size_bytes=self.takes.total_bytes,
            context_tokens=self.context_tokens,
            slots_count=self.slots_count,
            slots_in_use=self.leases,
            expires_unix_ms=expires_unix_ms,
            loading_since_unix_ms=now_unix_ms - round((now_s - self.created_s) * 1000) if is_loading else None,
            load_expected_s=self.load_expected_s if is_loading else None,
            device_bytes=self.takes.device_bytes,
            device_layers_count=0 if self.opened is None else self.opened.device_layers_count,
            layers_count=0 if self.opened is None else self.opened.layers_count,
        )
