"""What workers and gateways say of themselves in their heartbeats. Shown and planned with, never trusted for memory."""

import msgspec

from shared.digest import Digest


class ResidentModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model a worker holds. `expires_unix_ms` is None while it is pinned.

    While it is loading, `loading_since_unix_ms` says since when, and `load_expected_s` how long it took the last time,
    if this worker has loaded it before.
    """

    weights: Digest
    model: str
    state: str  # loading | ready | draining
    size_bytes: int
    context_tokens: int
    slots_count: int
    slots_in_use: int
    expires_unix_ms: int | None
    loading_since_unix_ms: int | None = None
    load_expected_s: float | None = None


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    models: tuple[ResidentModel, ...]
    memory_bytes_max: int
    models_max: int
    draining: bool

    def holds(self, weights: Digest) -> bool:
        return any(model.weights == weights for model in self.models)

    @property
    def memory_bytes_used(self) -> int:
        return sum(model.size_bytes for model in self.models)


class GatewayState(msgspec.Struct, frozen=True, kw_only=True):
    open_requests: int
