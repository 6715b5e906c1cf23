"""What each container may do: as little as possible."""

import json
from typing import Any

import pytest

from harness.compose import Stack, docker

SERVICES = (
    "nginx", "gateway", "worker", "registry", "redis",
    "prometheus", "redis-exporter", "nginx-exporter", "blackbox-exporter",
)  # fmt: skip
HAVE_A_SHELL = ("nginx", "gateway", "worker", "registry", "redis")


def inspected(stack: Stack, service: str) -> dict[str, Any]:
    (container,) = stack.containers(service)
    found: list[dict[str, Any]] = json.loads(docker("inspect", container))
    return found[0]


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_no_root_has_no_capability_and_a_root_it_cannot_write(stack: Stack, service: str) -> None:
    container = inspected(stack, service)
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert not container["HostConfig"]["CapAdd"]
    assert not container["HostConfig"]["Privileged"]
    assert "no-new-privileges:true" in container["HostConfig"]["SecurityOpt"]
    status = docker("exec", container["Id"], "cat", "/proc/1/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in facts["Uid"].split()
    assert int(facts["CapEff"], 16) == 0


@pytest.mark.parametrize("service", HAVE_A_SHELL)
def test_writing_to_the_root_really_fails(stack: Stack, service: str) -> None:
    (container,) = stack.containers(service)
    script = "for f in /x /etc/x /usr/bin/x /app/x; do if (: > $f) 2>/dev/null; then echo $f; fi; done"
    assert docker("exec", container, "sh", "-c", script) == ""


def test_a_worker_cannot_write_the_models(stack: Stack) -> None:
    (container,) = stack.containers("worker")
    script = "touch /var/lib/corral/models/x 2>&1; touch /var/lib/corral/cache/x && rm /var/lib/corral/cache/x"
    assert "Read-only" in docker("exec", container, "sh", "-c", script)


def test_only_nginx_is_published(stack: Stack) -> None:
    published = {service for service in SERVICES if any(inspected(stack, service)["NetworkSettings"]["Ports"].values())}
    assert published == {"nginx"}


def test_redis_refuses_whoever_has_no_password(stack: Stack) -> None:
    (container,) = stack.containers("redis")
    assert docker("exec", container, "redis-cli", "ping").startswith("NOAUTH")
    assert docker("exec", container, "redis-cli", "-a", "wrong", "--no-auth-warning", "ping").startswith("NOAUTH")


def test_no_secret_is_in_what_docker_tells(stack: Stack) -> None:
    told = "".join(docker("inspect", container) for container in stack.containers())
    names = ("admin_key", "webui_key", "forwarded_user_secret", "redis_url", "grafana_admin_password")
    assert [name for name in names if stack.secret(name) in told] == []


def test_prometheus_reaches_everything_that_it_watches(stack: Stack) -> None:
    (container,) = stack.containers("prometheus")
    script = ("exec", container, "promtool", "query", "instant", "http://127.0.0.1:9090", "min by (job) (up)")
    wanted = {"gateway", "worker", "registry", "redis", "nginx", "front-door"}
    stack.until(lambda: {line.split('"')[1] for line in docker(*script).splitlines() if "=> 1 " in line} == wanted)
    redis_up = docker("exec", container, "promtool", "query", "instant", "http://127.0.0.1:9090", "redis_up")
    assert "=> 1 " in redis_up
