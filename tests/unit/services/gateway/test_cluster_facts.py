"""Clocks are compared by way of Redis, and what INFO says is understood, whoever says it."""

import tomllib

import pytest

from services.gateway.cluster_facts import clock_ahead_ms, gateway_report, worker_report
from services.gateway.redis_facts import facts_of
from shared.cluster_state import GatewayState, WorkerState
from shared.leases import Announcement
from shared.version import CORRAL_VERSION
from source import ROOT


@pytest.mark.parametrize(
    ("clock", "redis", "redis_ahead", "ahead"),
    [
        (5000, 5000, 0, 0),
        (9000, 5000, 0, 4000),
        (9000, 5000, -4000, 0),  # it is Redis that is behind
        (5000, 5000, 700, 700),  # it goes as wrong as Redis does
        (0, 5000, 0, None),  # it tells no time
        (5000, 5000, None, None),
    ],
)
def test_a_clock_is_compared_with_that_of_the_gateway_by_way_of_redis(
    clock: int, redis: int, redis_ahead: int | None, ahead: int | None
) -> None:
    assert clock_ahead_ms(clock, redis, redis_ahead) == ahead


def test_a_member_of_an_older_version_is_reported_without_what_it_does_not_say() -> None:
    gateway = gateway_report("g", Announcement(payload=GatewayState(open_requests=2), age_ms=9, redis_unix_ms=1), 0)
    assert (gateway.version, gateway.clock_ahead_ms, gateway.open_requests, gateway.heard_ms) == ("", None, 2, 9)
    state = WorkerState(models=(), memory_bytes_max=1, models_max=1, draining=True)
    worker = worker_report("w", Announcement(payload=state, age_ms=9, redis_unix_ms=1), 0)
    assert (worker.draining, worker.draining_s, worker.cache_disk) == (True, None, None)


def test_what_info_says_is_read() -> None:
    report = facts_of(
        {
            "redis_version": "7.4.1",
            "aof_enabled": 1,
            "aof_last_write_status": "err",
            "rdb_last_bgsave_status": "ok",
            "maxmemory_policy": "allkeys-lru",
            "used_memory": 7,
            "maxmemory": 0,
            "total_system_memory": 9,
        }
    )
    assert (report.server, report.version) == ("Redis", "7.4.1")
    assert (report.appendonly, report.appendonly_write_ok, report.snapshot_write_ok) == (True, False, True)
    assert (report.maxmemory_policy, report.memory_bytes_used, report.memory_bytes_max) == ("allkeys-lru", 7, 0)
    assert report.memory_bytes_machine == 9


def test_valkey_is_called_by_its_own_name_and_version() -> None:
    report = facts_of({"redis_version": "7.2.4", "valkey_version": "8.1.1"})
    assert (report.server, report.version) == ("Valkey", "8.1.1")


def test_an_info_that_is_refused_leaves_everything_unknown() -> None:
    report = facts_of({})
    assert (report.server, report.appendonly, report.memory_bytes_max) == ("", None, None)


def test_the_version_is_the_distributions() -> None:
    for file in ("pyproject.toml", "cli/pyproject.toml"):
        assert tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]["version"] == CORRAL_VERSION
