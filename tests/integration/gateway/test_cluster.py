"""`GET /api/cluster`: what one gateway finds out about all parts, and that a silent part keeps nobody waiting."""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from harness.redis_server import running_redis
from harness.registry_service import RegistryService
from integration.gateway.registry_setup import ADMIN, ADMIN_KEY, new_key
from integration.gateway.setup import serving, settings
from services.gateway.redis_facts import redis_report
from shared import redis_client
from shared.clock import SystemClock
from shared.cluster_state import Device, ResidentModel, WorkerState
from shared.disk_space import DiskSpace
from shared.leases import Roster
from shared.settings import Secret
from shared.version import CORRAL_VERSION

NOBODY = "http://127.0.0.1:9"
DEVICE = Device(name="RTX 4090", kind="gpu", memory_bytes_total=24 << 30, memory_bytes_free=20 << 30)
LAYERS_COUNT = 29
"""Of the model that `worker` holds."""


def worker(*, clock_unix_ms: int) -> WorkerState:
    model = ResidentModel(
        weights=WEIGHTS,
        model="registry.ollama.ai/library/tiny:latest",
        state="ready",
        size_bytes=100,
        context_tokens=4096,
        slots_count=4,
        slots_in_use=0,
        expires_unix_ms=None,
        device_bytes=60,
        device_layers_count=20,
        layers_count=LAYERS_COUNT,
    )
    return WorkerState(
        models=(model,),
        memory_bytes_max=1000,
        models_max=3,
        draining=True,
        devices=(DEVICE,),
        device_memory_bytes_max=2000,
        gpu_visible=True,
        draining_since_unix_ms=clock_unix_ms - 90_000,
        version="0.0.9",
        clock_unix_ms=clock_unix_ms,
        cache_disk=DiskSpace(free_bytes=5, total_bytes=50),
    )


async def told(http: aiohttp.ClientSession, url: str, headers: Mapping[str, str] = ADMIN) -> dict[str, Any]:
    async with http.get(f"{url}/api/cluster", headers=headers) as response:
        assert response.status == 200, await response.text()
        found: dict[str, Any] = await response.json()
        return found


@contextlib.asynccontextmanager
async def locked(redis_url: str, **changes: object) -> AsyncIterator[str]:
    known = {"require_keys": True, "admin_key": Secret(ADMIN_KEY), "registry_url": NOBODY}
    async with serving(settings(redis_url, **{**known, **changes})) as url:
        yield url


async def test_every_part_is_told_with_its_version_and_its_clock(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    registry = RegistryService(redis_url, tmp_path, store_bytes_max=str(1 << 40))
    async with registry.running(), locked(redis_url, registry_url=registry.url) as url:
        hour_ahead = int(time.time() * 1000) + 3_600_000
        await Roster(redis, "worker", WorkerState).announce("w1", worker(clock_unix_ms=hour_ahead))
        report = await told(http, url)
    assert report["version"] == CORRAL_VERSION
    assert abs(report["clock_unix_ms"] / 1000 - time.time()) < 5
    (gateway,) = report["gateways"]
    assert (gateway["id"], gateway["version"]) == (report["gateway"], CORRAL_VERSION)
    assert abs(gateway["clock_ahead_ms"]) < 500
    assert gateway["heard_ms"] < 3000
    (one,) = report["workers"]
    assert (one["id"], one["version"], one["draining"], one["draining_s"]) == ("w1", "0.0.9", True, 90.0)
    assert abs(one["clock_ahead_ms"] - 3_600_000) < 2000
    assert one["models"] == [
        {
            "model": "tiny:latest",
            "state": "ready",
            "size_bytes": 100,
            "device_bytes": 60,
            "layers_count": LAYERS_COUNT,
            "device_layers_count": 20,
        }
    ]
    assert [device["name"] for device in one["devices"]] == ["RTX 4090"]
    assert one["cache_disk"] == {"free_bytes": 5, "total_bytes": 50}
    assert (report["registry"]["version"], report["registry"]["problem"]) == (CORRAL_VERSION, "")
    assert report["registry"]["store_bytes_max"] == 1 << 40
    assert report["registry"]["disk"]["free_bytes"] > 0
    assert (report["redis"]["server"], report["redis"]["reached_by"]) == ("Valkey", "socket")
    assert report["redis"]["requires_password"] is False
    assert report["redis"]["appendonly"] is False
    assert abs(report["redis"]["clock_ahead_ms"]) < 500


async def test_a_registry_that_cannot_be_reached_is_told_as_such(redis_url: str, http: aiohttp.ClientSession) -> None:
    async with locked(redis_url) as url:
        report = await told(http, url)
    assert "Cannot connect" in report["registry"]["problem"]
    assert report["registry"]["disk"] is None


async def test_without_redis_the_rest_is_told_to_whoever_has_the_configured_key(
    http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_redis(tmp_path))
        url = await stack.enter_async_context(locked(server.url, redis_wait_s=0.5))
        await server.stop()
        report = await told(http, url)
    assert report["redis"]["problem"]
    assert report["redis"]["requires_password"] is None
    assert (report["workers"], report["gateways"]) == ([], [])


async def test_only_admins_are_told(redis_url: str, http: aiohttp.ClientSession) -> None:
    async with locked(redis_url) as url:
        user = await new_key(http, url)
        for headers in ({}, {"Authorization": f"Bearer {user['key']}"}):
            async with http.get(f"{url}/api/cluster", headers=headers) as response:
                assert response.status == 403


async def test_a_password_is_found_to_be_required_by_trying_without_it(tmp_path: Path) -> None:
    async with running_redis(tmp_path, "--requirepass", "secret", "--appendonly", "yes") as server:
        redis = redis_client.connect(f"redis://:secret@127.0.0.1:{server.port}/3")
        report = await redis_report(redis, SystemClock(), wait_s=5)
        await redis.aclose()
    assert (report.problem, report.requires_password, report.reached_by) == ("", True, "loopback")
    assert (report.appendonly, report.appendonly_write_ok) == (True, True)
    assert report.maxmemory_policy == "noeviction"


async def test_what_redis_refuses_to_tell_is_unknown_and_no_failure(tmp_path: Path) -> None:
    rule = "user default on nopass ~* &* +@all -info -config"
    async with running_redis(tmp_path, "--user", *rule.split()[1:]) as server:
        redis = redis_client.connect(server.url)
        report = await redis_report(redis, SystemClock(), wait_s=5)
        await redis.aclose()
    assert report.problem == ""
    assert (report.appendonly, report.version, report.maxmemory_policy) == (None, "", "")
    assert report.requires_password is False
