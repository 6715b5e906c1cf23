"""What the parts of a cluster say of themselves: workers and gateways in their heartbeats, the registry when asked.

Shown and planned with, never trusted for memory.
"""

import msgspec

from shared.digest import Digest
from shared.disk_space import DiskSpace


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU that llama.cpp can use; `memory_bytes_free` is what was free when a runner last looked."""

    name: str
    kind: str  # gpu | igpu, which shares the machine's memory
    memory_bytes_total: int
    memory_bytes_free: int


class ResidentModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model a worker holds. `expires_unix_ms` is None while it is pinned.

    While it is loading, `loading_since_unix_ms` says since when, and `load_expected_s` how long it took the last time,
    if this worker has loaded it before.
    Of `size_bytes`, `device_bytes` are on GPUs, and so are `device_layers_count` of its `layers_count` layers (both are
    0 until it is loaded). llama.cpp counts the output as a layer.
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
    device_bytes: int = 0
    device_layers_count: int = 0
    layers_count: int = 0


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """`memory_bytes_max` is what models may take of the machine's memory, `device_memory_bytes_max` of its GPUs'.

    With `gpu_visible` and no `devices` there is a GPU which llama.cpp does not use: everything runs on the CPU.
    `clock_unix_ms` is the worker's own clock when it said this; `cache_disk` is where blobs are kept that it fetches.
    """

    models: tuple[ResidentModel, ...]
    memory_bytes_max: int
    models_max: int
    draining: bool
    devices: tuple[Device, ...] = ()
    device_memory_bytes_max: int = 0
    gpu_visible: bool = False
    draining_since_unix_ms: int | None = None
    version: str = ""
    clock_unix_ms: int = 0
    cache_disk: DiskSpace | None = None

    def holds(self, weights: Digest) -> bool:
        return any(model.weights == weights for model in self.models)

    @property
    def memory_bytes_used(self) -> int:
        return sum(model.size_bytes - model.device_bytes for model in self.models)

    @property
    def device_memory_bytes_used(self) -> int:
        return sum(model.device_bytes for model in self.models)


class GatewayState(msgspec.Struct, frozen=True, kw_only=True):
    """`clock_unix_ms` is the gateway's own clock when it said this."""

    open_requests: int
    version: str = ""
    clock_unix_ms: int = 0


class RegistryState(msgspec.Struct, frozen=True, kw_only=True):
    """`problem` is why it cannot be counted on, if so; `store_bytes_max` 0 is no limit but the disk's."""

    version: str
    problem: str
    store_bytes: int
    store_bytes_max: int
    disk: DiskSpace | None
