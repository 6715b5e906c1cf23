"""What `GET /api/cluster` tells: the parts of the cluster, as far as one gateway can know them.

A `problem` says why a part told nothing; the facts about it are then unknown. None is a fact that could not be found
out. `clock_ahead_ms` is how far a part's clock is ahead of the answering gateway's.
"""

from typing import Literal

import msgspec

from shared.cluster_state import Device
from shared.disk_space import DiskSpace


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    """`heard_ms` ago it renewed its lease."""

    id: str
    version: str
    heard_ms: int
    clock_ahead_ms: int | None
    open_requests: int


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """A model in a worker's memory, of which `device_bytes` and `device_layers_count` are on GPUs."""

    model: str
    state: str
    size_bytes: int
    device_bytes: int
    layers_count: int
    device_layers_count: int


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """`heard_ms` ago it renewed its lease; it drains since `draining_s`."""

    id: str
    version: str
    heard_ms: int
    clock_ahead_ms: int | None
    draining: bool
    draining_s: float | None
    memory_bytes_max: int
    device_memory_bytes_max: int
    gpu_visible: bool
    devices: tuple[Device, ...]
    models: tuple[ModelReport, ...]
    cache_disk: DiskSpace | None


class RegistryReport(msgspec.Struct, frozen=True, kw_only=True):
    """`store_bytes_max` 0 is no limit but the disk's."""

    problem: str = ""
    version: str = ""
    store_bytes: int | None = None
    store_bytes_max: int | None = None
    disk: DiskSpace | None = None


class RedisReport(msgspec.Struct, frozen=True, kw_only=True):
    """`memory_bytes_max` 0 is no limit but the machine's, `memory_bytes_machine`."""

    problem: str = ""
    reached_by: Literal["socket", "loopback", "network"] = "network"
    requires_password: bool | None = None
    server: str = ""
    version: str = ""
    clock_ahead_ms: int | None = None
    appendonly: bool | None = None
    appendonly_write_ok: bool | None = None
    snapshot_write_ok: bool | None = None
    maxmemory_policy: str = ""
    memory_bytes_used: int | None = None
    memory_bytes_max: int | None = None
    memory_bytes_machine: int | None = None


class ClusterReport(msgspec.Struct, frozen=True, kw_only=True):
    """`clock_unix_ms` is the answering gateway's clock, read last."""

    version: str
    gateway: str
    clock_unix_ms: int
    gateways: tuple[GatewayReport, ...]
    workers: tuple[WorkerReport, ...]
    registry: RegistryReport
    redis: RedisReport
