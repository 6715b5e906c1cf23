"""What the cluster's Redis says of itself, and whether it lets in those who know no password."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from services.gateway.access import is_loopback
from services.gateway.cluster_report import RedisReport
from shared.clock import Clock
from shared.redis_client import pending

_CREDENTIALS: Final = frozenset({"username", "password", "credential_provider"})


async def redis_report(redis: Redis, clock: Clock, *, wait_s: float) -> RedisReport:
    """Within `wait_s`, whatever Redis does. What it refuses to tell stays unknown."""
    reached_by = _reached_by(redis.connection_pool.connection_kwargs)
    try:
        async with asyncio.timeout(wait_s):
            ahead_ms = await _clock_ahead_ms(redis, clock)
            requires_password = await _requires_password(redis)
            info = await _info(redis)
    except (RedisError, OSError, TimeoutError) as cause:
        return RedisReport(problem=str(cause) or f"no answer within {wait_s:g} s", reached_by=reached_by)
    return msgspec.structs.replace(
        facts_of(info), reached_by=reached_by, clock_ahead_ms=ahead_ms, requires_password=requires_password
    )


def facts_of(info: Mapping[str, Any]) -> RedisReport:
    """What the reply to INFO says, of Redis or of Valkey; empty where INFO is refused. Pure.

    Source: Redis' INFO. Valkey tells its own version besides the one of Redis that it is compatible with.
    """
    valkey = str(info.get("valkey_version", ""))
    return RedisReport(
        server="" if not info else "Valkey" if valkey else "Redis",
        version=valkey or str(info.get("redis_version", "")),
        appendonly=_flag(info, "aof_enabled", 1),
        appendonly_write_ok=_flag(info, "aof_last_write_status", "ok"),
        snapshot_write_ok=_flag(info, "rdb_last_bgsave_status", "ok"),
        maxmemory_policy=str(info.get("maxmemory_policy", "")),
        memory_bytes_used=info.get("used_memory"),
        memory_bytes_max=info.get("maxmemory"),
        memory_bytes_machine=info.get("total_system_memory"),
    )


def _flag(info: Mapping[str, Any], name: str, yes: object) -> bool | None:
    return info[name] == yes if name in info else None


def _reached_by(connection: Mapping[str, Any]) -> Literal["socket", "loopback", "network"]:
    if "path" in connection:
        return "socket"
    return "loopback" if is_loopback(str(connection.get("host", ""))) else "network"


async def _clock_ahead_ms(redis: Redis, clock: Clock) -> int:
    """How far the clock of Redis is ahead, measured against the middle of the exchange."""
    asked_ms = clock.unix_ms()
    seconds, microseconds = await pending(redis.time())
    return int(seconds) * 1000 + int(microseconds) // 1000 - (asked_ms + clock.unix_ms()) // 2


async def _info(redis: Redis) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = await pending(redis.info())
    except ResponseError:  # a rule of its own may forbid it to us
        return {}
    return found


async def _requires_password(redis: Redis) -> bool | None:
    """What happens to a connection that shows no password, by trying; None where that could not be found out."""
    pool = redis.connection_pool
    # A new connection is in database 0; choosing another would already need the password.
    settings = {name: value for name, value in pool.connection_kwargs.items() if name not in {*_CREDENTIALS, "db"}}
    stranger = Redis.from_pool(ConnectionPool(connection_class=pool.connection_class, **settings))
    try:
        await stranger.ping()
    except AuthenticationError:
        return True
    except (RedisError, OSError):
        return None
    finally:
        await stranger.aclose()
    return False
