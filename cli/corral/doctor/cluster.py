"""The reply of `GET /api/cluster`, as far as it is judged. What another version does not say has a default."""

import dataclasses
import types
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from corral.errors import CliError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Disk:
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, kw_only=True)
class Gateway:
    id: str
    version: str = ""
    clock_ahead_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Resident:
    """A model in a worker's memory; `layers_count` is 0 until it is loaded."""

    model: str
    state: str = "ready"
    size_bytes: int = 0
    layers_count: int = 0
    device_layers_count: int = 0


@dataclass(frozen=True, kw_only=True)
class Device:
    name: str


@dataclass(frozen=True, kw_only=True)
class Worker:
    id: str
    version: str = ""
    clock_ahead_ms: int | None = None
    draining: bool = False
    draining_s: float | None = None
    memory_bytes_max: int = 0
    device_memory_bytes_max: int = 0
    gpu_visible: bool = False
    devices: tuple[Device, ...] = ()
    models: tuple[Resident, ...] = ()
    cache_disk: Disk | None = None


@dataclass(frozen=True, kw_only=True)
class Registry:
    problem: str = ""
    version: str = ""
    store_bytes: int | None = None
    store_bytes_max: int | None = None
    disk: Disk | None = None


@dataclass(frozen=True, kw_only=True)
class Redis:
    """None is what could not be found out; `memory_bytes_max` 0 is no limit but the machine's."""

    problem: str = ""
    reached_by: str = "network"
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


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """`clock_unix_ms` is the clock of `gateway`, which answered; `clock_ahead_ms` is measured against it."""

    version: str
    gateway: str
    clock_unix_ms: int
    gateways: tuple[Gateway, ...] = ()
    workers: tuple[Worker, ...] = ()
    registry: Registry = Registry()
    redis: Redis = Redis()


def parsed_cluster(reply: Any) -> Cluster:
    """Raises: CliError."""
    try:
        return _read(Cluster, reply)
    except (TypeError, ValueError, AttributeError) as cause:
        raise CliError("the reply of /api/cluster is not understood; is this command as old as the cluster?") from cause


def _read(kind: type[T], fields: Any) -> T:
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], value) for name, value in fields.items() if name in hints})


def _value(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return None if value is None else _value(get_args(hint)[0], value)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], one) for one in value)
    return _read(hint, value) if isinstance(hint, type) and dataclasses.is_dataclass(hint) else value
