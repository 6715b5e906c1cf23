"""Gathers what this gateway can find out about the cluster. Each wait is bounded; a silent part is reported as such."""

import asyncio
from typing import Final, TypeVar

import aiohttp
import msgspec
from redis.asyncio import Redis

from services.gateway.cluster_report import (
    ClusterReport,
    GatewayReport,
    ModelReport,
    RegistryReport,
    WorkerReport,
)
from services.gateway.redis_facts import redis_report
from services.gateway.redis_guard import redis_guard
from shared.clock import Clock
from shared.cluster_state import GatewayState, RegistryState, WorkerState
from shared.errors import Unavailable
from shared.leases import Announcement, Roster
from shared.model_name import parse_model_name
from shared.version import CORRAL_VERSION

REGISTRY_WAIT_S: Final = 5.0
STATUS_BYTES_MAX: Final = 64 << 10

T = TypeVar("T")


class ClusterFacts:
    """`session` belongs to the caller."""

    def __init__(
        self,
        redis: Redis,
        clock: Clock,
        session: aiohttp.ClientSession,
        *,
        registry_url: str,
        gateway_id: str,
        redis_wait_s: float,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._session = session
        self._registry_url = registry_url.rstrip("/")
        self._gateway_id = gateway_id
        self._redis_wait_s = redis_wait_s

    async def gather(self) -> ClusterReport:
        redis, registry, gateways, workers = await asyncio.gather(
            redis_report(self._redis, self._clock, wait_s=self._redis_wait_s),
            self._registry(),
            self._announced(Roster(self._redis, "gateway", GatewayState)),
            self._announced(Roster(self._redis, "worker", WorkerState)),
        )
        return ClusterReport(
            version=CORRAL_VERSION,
            gateway=self._gateway_id,
            gateways=tuple(gateway_report(name, one, redis.clock_ahead_ms) for name, one in gateways.items()),
            workers=tuple(worker_report(name, one, redis.clock_ahead_ms) for name, one in workers.items()),
            registry=registry,
            redis=redis,
            clock_unix_ms=self._clock.unix_ms(),
        )

    async def _announced(self, roster: Roster[T]) -> dict[str, Announcement[T]]:
        """Nobody without Redis, whose own report says why."""
        try:
            async with redis_guard(self._redis_wait_s):
                return await roster.announcements()
        except Unavailable:
            return {}

    async def _registry(self) -> RegistryReport:
        try:
            async with (
                asyncio.timeout(REGISTRY_WAIT_S),
                self._session.get(f"{self._registry_url}/internal/status") as response,
            ):
                if response.status != 200:
                    return RegistryReport(problem=f"it answers with status {response.status}")
                body = await response.content.read(STATUS_BYTES_MAX)
            state = msgspec.json.decode(body, type=RegistryState)
        except TimeoutError:
            return RegistryReport(problem=f"no answer within {REGISTRY_WAIT_S:g} s")
        except (aiohttp.ClientError, msgspec.DecodeError) as cause:
            return RegistryReport(problem=str(cause))
        return RegistryReport(
            problem=state.problem,
            version=state.version,
            store_bytes=state.store_bytes,
            store_bytes_max=state.store_bytes_max,
            disk=state.disk,
        )


def clock_ahead_ms(clock_unix_ms: int, redis_unix_ms: int, redis_ahead_ms: int | None) -> int | None:
    """How far a clock is ahead of this gateway's, by what it and that of Redis showed at one moment.

    None where the part tells no time, or where that of Redis is not known.
    """
    if not clock_unix_ms or redis_ahead_ms is None:
        return None
    return clock_unix_ms - redis_unix_ms + redis_ahead_ms


def gateway_report(name: str, heard: Announcement[GatewayState], redis_ahead_ms: int | None) -> GatewayReport:
    state = heard.payload
    return GatewayReport(
        id=name,
        version=state.version,
        heard_ms=heard.age_ms,
        clock_ahead_ms=clock_ahead_ms(state.clock_unix_ms, heard.redis_unix_ms, redis_ahead_ms),
        open_requests=state.open_requests,
    )


def worker_report(name: str, heard: Announcement[WorkerState], redis_ahead_ms: int | None) -> WorkerReport:
    state = heard.payload
    since_ms = state.draining_since_unix_ms
    return WorkerReport(
        id=name,
        version=state.version,
        heard_ms=heard.age_ms,
        clock_ahead_ms=clock_ahead_ms(state.clock_unix_ms, heard.redis_unix_ms, redis_ahead_ms),
        draining=state.draining,
        draining_s=None if since_ms is None else max(0, state.clock_unix_ms - since_ms) / 1000,
        memory_bytes_max=state.memory_bytes_max,
        device_memory_bytes_max=state.device_memory_bytes_max,
        gpu_visible=state.gpu_visible,
        devices=state.devices,
        models=tuple(
            ModelReport(
                model=parse_model_name(one.model).short,
                state=one.state,
                size_bytes=one.size_bytes,
                device_bytes=one.device_bytes,
                layers_count=one.layers_count,
                device_layers_count=one.device_layers_count,
            )
            for one in state.models
        ),
        cache_disk=state.cache_disk,
    )
