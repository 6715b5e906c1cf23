"""All checks, in the order in which they are told: each is a function of facts."""

from collections.abc import Callable
from typing import Final

from corral.doctor.checks import door, machines, parts, redis
from corral.doctor.checks.streaming import streaming
from corral.doctor.cluster import Cluster
from corral.doctor.facts import Facts
from corral.doctor.findings import Finding, ok, problem, skipped

OF_THE_CLUSTER: Final[dict[str, Callable[[Cluster, Facts], Finding]]] = {
    "Versions": lambda cluster, facts: parts.versions(cluster, facts.own_version),
    "Registry": lambda cluster, _: parts.registry(cluster),
    "Workers": lambda cluster, _: parts.workers(cluster),
    "Models": lambda cluster, facts: parts.models(cluster, facts.models),
    "Smoke": lambda _, facts: parts.smokes(facts.smokes),
    "GPU": lambda cluster, _: machines.gpus(cluster),
    "Clocks": lambda cluster, facts: machines.clocks(cluster, gateway_ahead_ms=facts.gateway_ahead_ms),
    "Model store": lambda cluster, _: machines.store(cluster),
    "Worker caches": lambda cluster, _: machines.caches(cluster),
    "Redis": lambda cluster, _: redis.reachable(cluster.redis),
}

TOLD_BY_REDIS: Final = ("Workers", "Models", "GPU", "Worker caches")

OF_REDIS: Final = {
    "Redis persistence": redis.persistence,
    "Redis eviction": redis.eviction,
    "Redis memory": redis.memory,
    "Redis password": redis.password,
}


UNTOLD: Final = skipped("the cluster told nothing")


def judged(facts: Facts) -> dict[str, Finding]:
    """The verdict of every check, by its name."""
    return {**door.findings(facts), **_access(facts), **_streaming(facts), **_cluster(facts)}


def _access(facts: Facts) -> dict[str, Finding]:
    if facts.cluster is not None:
        return {"Admin key": ok(f"accepted by {facts.cluster.gateway}")}
    if not facts.refusal:
        return {"Admin key": skipped("it is not sent to an address whose certificate is not trusted")}
    if facts.refusal in (401, 403):
        todo = "Set CORRAL_API_KEY, or CORRAL_API_KEY_FILE, to one that has it: corral keys create NAME --role admin"
        return {"Admin key": problem("the key does not have the role admin, or there is none", todo)}
    if facts.refusal == 404:
        return {
            "Admin key": problem(
                "the cluster has no /api/cluster", "Update the cluster: it is older than this command."
            )
        }
    todo = "Look at the log: docker compose logs gateway"
    return {"Admin key": problem(f"the cluster answers with status {facts.refusal}", todo)}


def _streaming(facts: Facts) -> dict[str, Finding]:
    if facts.stream is not None:
        return {"Streaming": streaming(facts.stream, facts.place)}
    return {"Streaming": UNTOLD if facts.cluster is None else skipped("there is nobody, or no model, to ask")}


def _cluster(facts: Facts) -> dict[str, Finding]:
    cluster = facts.cluster
    if cluster is None:
        return dict.fromkeys((*OF_THE_CLUSTER, *OF_REDIS), UNTOLD)
    found = {
        **{name: check(cluster, facts) for name, check in OF_THE_CLUSTER.items()},
        **{name: check(cluster.redis) for name, check in OF_REDIS.items()},
    }
    silent = dict.fromkeys((*TOLD_BY_REDIS, *OF_REDIS), skipped("Redis cannot be reached"))
    return {**found, **silent} if cluster.redis.problem else found
