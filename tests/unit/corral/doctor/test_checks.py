"""The verdicts about the parts of a cluster, at their limits and one past them."""

import dataclasses
from typing import Any

import pytest

from corral.doctor.checks import judged, machines, parts, redis
from corral.doctor.checks.streaming import streaming
from corral.doctor.cluster import (
    Cluster,
    Device,
    Disk,
    Gateway,
    Redis,
    Registry,
    Resident,
    Worker,
    parsed_cluster,
)
from corral.doctor.facts import Facts, Model, Place, Smoke, Stream
from corral.doctor.findings import Finding, Level, ok, problem, skipped, warning, worst
from corral.errors import CliError

LOCAL = Place(scheme="http", host="127.0.0.1", port=11434, on_loopback=True)
GIB = 1 << 30
REDIS = Redis(
    reached_by="network",
    requires_password=True,
    server="Redis",
    version="7.4.1",
    clock_ahead_ms=3,
    appendonly=True,
    appendonly_write_ok=True,
    snapshot_write_ok=True,
    maxmemory_policy="noeviction",
    memory_bytes_used=10,
    memory_bytes_max=0,
    memory_bytes_machine=1000,
)
DISK = Disk(free_bytes=50 * GIB, total_bytes=100 * GIB)
WORKER = Worker(id="w", version="1", clock_ahead_ms=5, memory_bytes_max=8 * GIB, cache_disk=DISK)
CLUSTER = Cluster(
    version="1",
    gateway="g",
    clock_unix_ms=1,
    gateways=(Gateway(id="g", version="1", clock_ahead_ms=0),),
    workers=(WORKER,),
    registry=Registry(version="1", store_bytes=5, store_bytes_max=0, disk=DISK),
    redis=REDIS,
)


def with_worker(**changes: Any) -> Cluster:
    return dataclasses.replace(CLUSTER, workers=(dataclasses.replace(WORKER, **changes),))


def with_redis(**changes: Any) -> Redis:
    return dataclasses.replace(REDIS, **changes)


@pytest.mark.parametrize(
    ("decode_s", "arrivals_s", "level"),
    [
        (1.0, (0.1, 0.4, 0.8, 1.1), Level.OK),
        (1.0, (0.3, 0.8), Level.OK),
        (1.0, (0.7, 1.1), Level.WARNING),
        (1.0, (1.1, 1.1, 1.11), Level.PROBLEM),
        (1.0, (1.1,), Level.PROBLEM),
        (1.0, (), Level.PROBLEM),
        (0.2, (0.3, 0.3), Level.SKIPPED),
    ],
)
def test_a_stream_arrives_over_the_time_in_which_it_was_made(
    decode_s: float, arrivals_s: tuple[float, ...], level: Level
) -> None:
    assert streaming(Stream(model="m", arrivals_s=arrivals_s, decode_s=decode_s, tokens_count=24), LOCAL).level is level


def test_a_model_that_does_not_answer_is_a_problem() -> None:
    found = streaming(Stream(model="m", problem="it fell over"), LOCAL)
    assert (found.level, found.what) == (Level.PROBLEM, "m gave no answer: it fell over")


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.OK),
        ({"appendonly": False}, Level.PROBLEM),
        ({"appendonly_write_ok": False}, Level.PROBLEM),
        ({"snapshot_write_ok": False}, Level.PROBLEM),
        ({"appendonly": None}, Level.SKIPPED),
    ],
)
def test_redis_must_keep_what_it_is_given(changes: dict[str, Any], level: Level) -> None:
    assert redis.persistence(with_redis(**changes)).level is level


@pytest.mark.parametrize(
    ("policy", "limit_bytes", "level"),
    [
        ("noeviction", 100, Level.OK),
        ("allkeys-lru", 100, Level.PROBLEM),
        ("allkeys-lru", 0, Level.WARNING),
        ("", 0, Level.SKIPPED),
    ],
)
def test_redis_must_throw_nothing_away(policy: str, limit_bytes: int, level: Level) -> None:
    assert redis.eviction(with_redis(maxmemory_policy=policy, memory_bytes_max=limit_bytes)).level is level


@pytest.mark.parametrize(
    ("used", "limit", "machine", "level"),
    [
        (74, 100, 1000, Level.OK),
        (75, 100, 1000, Level.WARNING),
        (90, 100, 1000, Level.PROBLEM),
        (90, 0, 1000, Level.OK),
        (900, 0, 1000, Level.PROBLEM),
        (90, 0, None, Level.SKIPPED),
        (None, 100, 1000, Level.SKIPPED),
    ],
)
def test_redis_needs_room(used: int | None, limit: int, machine: int | None, level: Level) -> None:
    told = with_redis(memory_bytes_used=used, memory_bytes_max=limit, memory_bytes_machine=machine)
    assert redis.memory(told).level is level


@pytest.mark.parametrize(
    ("reached_by", "required", "level"),
    [
        ("network", True, Level.OK),
        ("network", False, Level.PROBLEM),
        ("loopback", False, Level.WARNING),
        ("socket", False, Level.OK),
        ("network", None, Level.SKIPPED),
    ],
)
def test_redis_needs_a_password_where_others_can_reach_it(reached_by: str, required: bool | None, level: Level) -> None:
    assert redis.password(with_redis(reached_by=reached_by, requires_password=required)).level is level


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({}, Level.OK),
        ({"version": "6.2.14"}, Level.WARNING),
        ({"version": ""}, Level.OK),
        ({"problem": "refused"}, Level.PROBLEM),
    ],
)
def test_redis_is_there_and_new_enough(changes: dict[str, Any], level: Level) -> None:
    assert redis.reachable(with_redis(**changes)).level is level


@pytest.mark.parametrize(
    ("ahead_ms", "level"),
    [(2000, Level.OK), (2001, Level.WARNING), (-30_000, Level.WARNING), (-30_001, Level.PROBLEM)],
)
def test_clocks_agree(ahead_ms: int, level: Level) -> None:
    found = machines.clocks(with_worker(clock_ahead_ms=ahead_ms), gateway_ahead_ms=0)
    assert found.level is level
    if level is not Level.OK:
        assert f"the clock of worker w is {abs(ahead_ms) / 1000:.1f} s" in found.what


def test_a_gateway_that_is_ahead_of_this_machine_leaves_it_behind() -> None:
    found = machines.clocks(CLUSTER, gateway_ahead_ms=60_000)
    assert found.what == "the clock of this machine is 60.0 s behind the gateway's"
    alone = dataclasses.replace(CLUSTER, workers=(), redis=Redis())
    assert machines.clocks(alone, gateway_ahead_ms=None).level is Level.SKIPPED


@pytest.mark.parametrize(
    ("free", "total", "level"),
    [
        (15 * GIB, 100 * GIB, Level.OK),
        (15 * GIB - 1, 100 * GIB, Level.WARNING),
        (5 * GIB - 1, 100 * GIB, Level.PROBLEM),
        (2 * GIB, 4 * GIB, Level.OK),
        (2 * GIB - 1, 4 * GIB, Level.PROBLEM),
        (0, 0, Level.PROBLEM),
    ],
)
def test_a_disk_has_room(free: int, total: int, level: Level) -> None:
    assert machines.room(Disk(free_bytes=free, total_bytes=total), "d", "todo").level is level


def test_a_store_may_be_full_by_its_limit_on_an_empty_disk() -> None:
    full = dataclasses.replace(CLUSTER.registry, store_bytes=99 * GIB, store_bytes_max=100 * GIB)
    found = machines.store(dataclasses.replace(CLUSTER, registry=full))
    assert found.level is Level.PROBLEM
    assert "CORRAL_REGISTRY_STORE_BYTES_MAX" in found.todo
    assert machines.store(CLUSTER).level is Level.OK
    assert machines.store(dataclasses.replace(CLUSTER, registry=Registry())).level is Level.SKIPPED


def test_the_fullest_cache_counts() -> None:
    full = dataclasses.replace(WORKER, id="full", cache_disk=Disk(free_bytes=1, total_bytes=GIB))
    found = machines.caches(dataclasses.replace(CLUSTER, workers=(WORKER, full)))
    assert (found.level, "worker full" in found.what, "worker w" in found.what) == (Level.PROBLEM, True, False)
    assert machines.caches(with_worker(cache_disk=None)).level is Level.SKIPPED


def test_a_gpu_that_is_seen_and_not_used_is_told() -> None:
    assert machines.gpus(CLUSTER).level is Level.OK
    found = machines.gpus(with_worker(gpu_visible=True))
    assert (found.level, "fell back to the CPU" in found.what) == (Level.WARNING, True)
    assert machines.gpus(with_worker(gpu_visible=True, devices=(Device(name="RTX"),))).level is Level.OK


@pytest.mark.parametrize(
    ("state", "on_gpu", "level"),
    [("ready", 29, Level.OK), ("ready", 20, Level.WARNING), ("ready", 0, Level.WARNING), ("loading", 0, Level.OK)],
)
def test_layers_of_a_loaded_model_that_are_left_to_the_cpu_are_told(state: str, on_gpu: int, level: Level) -> None:
    model = Resident(model="m", state=state, layers_count=29, device_layers_count=on_gpu)
    found = machines.gpus(with_worker(devices=(Device(name="RTX"),), models=(model,)))
    assert found.level is level
    assert (f"m has {on_gpu} of 29 layers on RTX" in found.what) is (level is Level.WARNING)


def test_whoever_has_another_version_is_named() -> None:
    assert parts.versions(CLUSTER, "1").what == "1 everywhere"
    found = parts.versions(with_worker(version=""), "2")
    assert (found.level, found.what) == (Level.WARNING, "the gateway is 1; this command is 2, worker w is older")


def test_a_cluster_needs_a_worker_that_does_not_drain_for_ever() -> None:
    assert parts.workers(CLUSTER).what == "1 worker, 0 models in memory"
    assert parts.workers(with_worker(draining=True, draining_s=300.0)).level is Level.OK
    assert parts.workers(with_worker(draining=True, draining_s=301.0)).level is Level.WARNING
    assert parts.workers(dataclasses.replace(CLUSTER, workers=())).level is Level.PROBLEM


def test_a_model_that_fits_into_no_worker_is_named() -> None:
    fits, large = Model(name="s", size_bytes=8 * GIB), Model(name="l", size_bytes=8 * GIB + 1)
    assert parts.models(CLUSTER, [fits]).level is Level.OK
    found = parts.models(CLUSTER, [fits, large])
    assert (found.level, "l (8.6 GB)" in found.what) == (Level.PROBLEM, True)
    assert parts.models(with_worker(device_memory_bytes_max=1), [large]).level is Level.OK
    assert parts.models(CLUSTER, []).level is Level.WARNING
    assert parts.models(CLUSTER, None).level is Level.SKIPPED


@pytest.mark.parametrize(
    ("smokes", "level"),
    [
        (None, Level.SKIPPED),
        ((), Level.SKIPPED),
        ((Smoke(model="m", outcome="ok", age_s=9),), Level.OK),
        ((Smoke(model="m", outcome="ok", age_s=9), Smoke(model="n", outcome="timeout", age_s=9)), Level.PROBLEM),
        ((Smoke(model="m", outcome="failed", age_s=3601),), Level.SKIPPED),
    ],
)
def test_the_last_smoke_of_each_model_counts_for_an_hour(smokes: tuple[Smoke, ...] | None, level: Level) -> None:
    assert parts.smokes(smokes).level is level


def test_a_registry_that_does_not_answer_is_a_problem() -> None:
    assert parts.registry(CLUSTER).level is Level.OK
    lost = dataclasses.replace(CLUSTER, registry=Registry(problem="no answer within 5 s"))
    assert parts.registry(lost).level is Level.PROBLEM
    assert parts.versions(lost, "1").level is Level.OK, "of what does not answer no version is known"


def test_findings_about_the_same_are_told_together() -> None:
    assert worst([ok("a"), warning("b", "do b"), warning("c", "do b")]) == Finding(Level.WARNING, "b; c", "do b")
    assert worst([skipped("a"), ok("b")]) == ok("b")
    assert worst([problem("a", "x"), warning("b", "y")]) == problem("a", "x")


def facts(**changes: Any) -> Facts:
    return Facts(place=LOCAL, now_unix_s=0.0, own_version="1", **changes)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [(403, "role admin"), (401, "role admin"), (404, "older than this command"), (500, "docker compose logs gateway")],
)
def test_a_cluster_that_tells_nothing_is_a_problem_and_the_rest_is_left_out(refusal: int, words: str) -> None:
    found = judged(facts(refusal=refusal))
    assert found["Admin key"].level is Level.PROBLEM
    assert words in found["Admin key"].what + found["Admin key"].todo
    assert {found[name].level for name in ("Workers", "Redis", "Redis memory", "Streaming")} == {Level.SKIPPED}


def test_without_redis_nothing_is_said_of_what_redis_would_tell() -> None:
    found = judged(facts(cluster=dataclasses.replace(CLUSTER, workers=(), redis=Redis(problem="refused"))))
    assert found["Redis"].level is Level.PROBLEM
    assert {found[name].level for name in ("Workers", "Models", "GPU", "Redis persistence")} == {Level.SKIPPED}


def test_the_reply_is_read_with_what_it_has_and_without_what_is_not_known() -> None:
    reply = {
        "version": "2",
        "gateway": "g",
        "clock_unix_ms": 5,
        "news": 1,
        "workers": [{"id": "w", "cache_disk": {"free_bytes": 1, "total_bytes": 2}, "devices": [{"name": "d", "x": 1}]}],
        "redis": {"appendonly": None},
    }
    assert parsed_cluster(reply) == Cluster(
        version="2",
        gateway="g",
        clock_unix_ms=5,
        workers=(Worker(id="w", cache_disk=Disk(free_bytes=1, total_bytes=2), devices=(Device(name="d"),)),),
    )


@pytest.mark.parametrize("reply", [[], {}, "no", {"version": "1", "gateway": "g", "clock_unix_ms": 1, "workers": 5}])
def test_a_reply_of_another_shape_is_an_error_in_words(reply: Any) -> None:
    with pytest.raises(CliError, match="not understood"):
        parsed_cluster(reply)
