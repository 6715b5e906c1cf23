"""Finds out the facts about a deployment, from outside: by TLS handshakes and HTTP."""

import dataclasses
import importlib.metadata
import time
from typing import Final

from corral.client import parsed
from corral.doctor.checks.parts import SMOKE_AGE_S_MAX
from corral.doctor.cluster import Cluster, parsed_cluster
from corral.doctor.facts import Attempt, Door, Facts, Model, Place, Plain, Smoke
from corral.doctor.gathering import streaming, tls
from corral.doctor.gathering.probe import Probe
from corral.errors import Unreached
from corral.format import parse_time

WRONG_KEY: Final = "doctor-is-not-a-key"
ASKED_BY_STRANGERS: Final = (
    ("GET", "/api/tags"),
    ("GET", "/api/ps"),
    ("POST", "/api/chat"),
    ("POST", "/api/generate"),
    ("POST", "/api/embed"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/responses"),
    ("GET", "/v2/"),
    ("POST", "/api/pull"),
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("GET", "/api/cluster"),
)
INTERNAL: Final = ("/metrics", "/healthz", "/readyz", "/internal/status", "/grafana/metrics")


def gathered(probe: Probe, place: Place) -> Facts:
    """All facts; of an address whose certificate is not trusted only those, for no key goes there.

    Raises: Unreached.
    """
    facts = Facts(place=place, now_unix_s=time.time(), own_version=importlib.metadata.version("corral"))
    if place.is_https:
        facts = dataclasses.replace(facts, tls=tls.look(place.host, place.port))
        assert facts.tls is not None
        if facts.tls.verify_code:
            return facts
    return _of_the_cluster(probe, dataclasses.replace(facts, door=_door(probe, place)))


def _door(probe: Probe, place: Place) -> Door:
    greeting = probe.stranger("GET", "/api/version")
    return Door(
        headers={name.lower(): value for name, value in greeting.headers.items()},
        attempts=tuple(
            _attempt(probe, method, path, named, key)
            for method, path in ASKED_BY_STRANGERS
            for named, key in (("no key", ""), ("a wrong key", WRONG_KEY))
        ),
        internal=() if place.is_direct else tuple(_attempt(probe, "GET", path, "no key", "") for path in INTERNAL),
        plain=_plain(probe, place, place.http_port) if place.is_https and place.http_port else None,
    )


def _attempt(probe: Probe, method: str, path: str, named: str, key: str) -> Attempt:
    response = probe.stranger(method, path, key=key)
    is_page = response.headers.get("content-type", "").startswith("text/html")
    return Attempt(method=method, path=path, key=named, status=response.status_code, is_page=is_page)


def _plain(probe: Probe, place: Place, port: int) -> Plain:
    host = f"[{place.host}]" if ":" in place.host else place.host
    try:
        response = probe.stranger("GET", f"http://{host}:{port}/api/version")
    except Unreached:
        return Plain(port=port, status=0)
    return Plain(port=port, status=response.status_code, location=response.headers.get("location", ""))


def _of_the_cluster(probe: Probe, facts: Facts) -> Facts:
    response = probe.known("/api/cluster")
    received_unix_ms = time.time_ns() // 1_000_000
    if response.is_error:
        return dataclasses.replace(facts, refusal=response.status_code)
    cluster = parsed_cluster(parsed(response.content))
    models = _models(probe)
    model = streaming.chosen(models or (), cluster)
    return dataclasses.replace(
        facts,
        cluster=cluster,
        # The gateway reads its clock last, so what is left is the way back.
        gateway_ahead_ms=cluster.clock_unix_ms - received_unix_ms,
        models=models,
        smokes=_smokes(probe, now_unix_s=received_unix_ms / 1000),
        stream=streaming.asked(probe, model) if model and _may_ask(cluster) else None,
    )


def _may_ask(cluster: Cluster) -> bool:
    return any(not worker.draining for worker in cluster.workers)


def _models(probe: Probe) -> tuple[Model, ...] | None:
    """None where they cannot be listed."""
    reply = probe.json("/api/tags")
    if reply is None:
        return None
    return tuple(
        Model(
            name=row["name"],
            size_bytes=int(row["size"]),
            generates="completion" in row.get("capabilities", ()),
        )
        for row in reply["models"]
    )


def _smokes(probe: Probe, *, now_unix_s: float) -> tuple[Smoke, ...] | None:
    """None where the cluster does not know smoke generations."""
    reply = probe.json("/api/smoke")
    if reply is None:
        return None
    found = []
    for one in reply["models"]:
        tried = [smoke for smoke in one["smokes"] if smoke["outcome"] != "skipped"]
        if tried:
            at = parse_time(tried[-1]["at"])
            age_s = now_unix_s - at.timestamp() if at else SMOKE_AGE_S_MAX + 1
            found.append(Smoke(model=one["model"], outcome=tried[-1]["outcome"], age_s=age_s))
    return tuple(found)
