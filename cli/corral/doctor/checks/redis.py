"""Whether Redis keeps what it is given, has room for it, and is nobody else's."""

from typing import Final

from corral.doctor.cluster import Redis
from corral.doctor.findings import Finding, ok, problem, skipped, warning
from corral.format import human_bytes

MEMORY_WARNING: Final = 0.75
MEMORY_PROBLEM: Final = 0.9
MAJOR_MIN: Final = 7
"""Of Redis and Valkey: what the deployment runs."""

UNTOLD: Final = skipped("Redis does not tell (INFO is refused)")


def reachable(redis: Redis) -> Finding:
    if redis.problem:
        return problem(
            f"the gateway cannot reach it: {redis.problem}",
            "docker compose up -d redis; docker compose logs redis; CORRAL_REDIS_URL says where it is.",
        )
    if not redis.version:
        return ok("answers, and does not tell its version")
    told = f"{redis.server} {redis.version}"
    if int(redis.version.split(".")[0]) < MAJOR_MIN:
        return warning(f"{told} is older than Corral is run with", f"Update it to {MAJOR_MIN} or later.")
    return ok(told)


def persistence(redis: Redis) -> Finding:
    if redis.appendonly is None:
        return UNTOLD
    if not redis.appendonly:
        return problem(
            "appendonly is off: keys and waiting work are lost when it restarts",
            "Start it with --appendonly yes, or at once: redis-cli CONFIG SET appendonly yes",
        )
    if redis.appendonly_write_ok is False or redis.snapshot_write_ok is False:
        return problem("its last write to disk failed", "Is its disk full? docker compose logs redis; df -h")
    return ok("appendonly is on and its last write went well")


def eviction(redis: Redis) -> Finding:
    if not redis.maxmemory_policy:
        return UNTOLD
    if redis.maxmemory_policy == "noeviction":
        return ok("noeviction")
    todo = "Start it with --maxmemory-policy noeviction, or at once: redis-cli CONFIG SET maxmemory-policy noeviction"
    if redis.memory_bytes_max:
        return problem(f"{redis.maxmemory_policy}: it may throw away keys and waiting work", todo)
    return warning(f"{redis.maxmemory_policy}, which has no effect only while maxmemory is not set", todo)


def memory(redis: Redis) -> Finding:
    limit_bytes = redis.memory_bytes_max or redis.memory_bytes_machine
    if redis.memory_bytes_used is None or not limit_bytes:
        return UNTOLD
    whose = "maxmemory" if redis.memory_bytes_max else "the machine's memory"
    share = redis.memory_bytes_used / limit_bytes
    what = f"{human_bytes(redis.memory_bytes_used)} of {human_bytes(limit_bytes)} ({whose})"
    todo = "Give it more (--maxmemory, its container's memory limit); redis-cli --bigkeys tells what fills it."
    if share >= MEMORY_PROBLEM:
        return problem(what, todo)
    return warning(what, todo) if share >= MEMORY_WARNING else ok(what)


def password(redis: Redis) -> Finding:
    if redis.reached_by == "socket":
        return ok("reached by a socket of its own machine, not over a network")
    if redis.requires_password is None:
        return skipped("a connection without one could not be tried")
    if redis.requires_password:
        return ok("required")
    todo = "Give it users (--aclfile) or a password (--requirepass) and put it into CORRAL_REDIS_URL."
    if redis.reached_by == "loopback":
        return warning("none is required; whoever is on the gateway's machine may change everything", todo)
    return problem("none is required: whoever reaches it may read chats and make keys", todo)
