"""A worker on another machine: in a network of its own, which shares nothing with the cluster but nginx and Redis."""

import dataclasses
import shutil
from collections.abc import Iterator

import ollama
import pytest

from harness.compose import OVERRIDE, Stack, docker
from source import ROOT

OTHER_HOST = ROOT / "tests" / "compose" / "other_host.yaml"


@pytest.fixture(scope="module")
def opened(stack: Stack, model: str) -> Iterator[Stack]:
    """The cluster without a worker of its own, open to those of other machines."""
    files = ("compose.yaml", "compose.hosts.yaml", str(OVERRIDE))
    cluster = dataclasses.replace(stack, files=files)
    cluster.compose("up", "-d", "--wait", "--scale", "gateway=1", "--scale", "worker=0")
    yield cluster
    stack.compose("up", "-d", "--wait", "--scale", "worker=1")


@pytest.fixture(scope="module")
def remote(opened: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The other machine: deploy/worker-host with its three variables, and the certificate to trust."""
    folder = tmp_path_factory.mktemp("worker-host")
    shutil.copy(ROOT / "deploy" / "worker-host" / "compose.yaml", folder)
    registry_key = opened.user_key("other-host", "--role", "worker")
    redis_url = opened.secret("worker_redis_url").replace("@localhost:", "@redis.corral.test:")
    variables = {
        "CORRAL_WORKER_REDIS_URL": redis_url,
        "CORRAL_WORKER_REGISTRY_URL": "https://corral.test",
        "CORRAL_WORKER_REGISTRY_KEY": registry_key,
        "CORRAL_AUTHORITIES": str(opened.certificate),
    }
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    host = Stack(folder, 0, files=("compose.yaml", str(OTHER_HOST)), project="corral-test-host")
    host.compose("create")
    network = f"{host.project}_default"
    gates = {"corral.test": opened.containers("nginx")[0], "redis.corral.test": opened.containers("redis")[0]}
    for name, container in gates.items():
        docker("network", "connect", "--alias", name, network, container)
    try:
        host.compose("up", "-d", "--wait")
        yield host
    finally:
        for container in gates.values():
            docker("network", "disconnect", network, container)
        host.compose("down", "--volumes", "--timeout", "5")


def test_a_worker_on_another_machine_fetches_the_weights_and_answers(
    opened: Stack, remote: Stack, model: str, key: str
) -> None:
    client = ollama.Client(host=opened.url, headers={"Authorization": f"Bearer {key}"}, verify=opened.trust())
    answer = client.chat(model, [{"role": "user", "content": "Name a colour."}], options={"num_predict": 8})
    client.close()  # type: ignore[no-untyped-call]
    assert answer.message.content
    (worker,) = remote.containers("worker")
    assert "sha256-" in docker("exec", worker, "ls", "/var/lib/corral/cache")
    assert worker[:12] in opened.corral("doctor", "--json")


def test_it_reaches_nothing_else_of_the_cluster(remote: Stack) -> None:
    (worker,) = remote.containers("worker")
    script = (
        "import socket\n"
        "for name in ('gateway', 'registry', 'redis', 'nginx', 'prometheus'):\n"
        "    try: print(name, socket.gethostbyname(name))\n"
        "    except OSError: pass\n"
    )
    assert docker("exec", worker, "python", "-c", script) == ""


def test_what_it_may_do_in_redis_does_not_include_reading_keys(opened: Stack) -> None:
    (redis,) = opened.containers("redis")
    password = opened.secret("worker_redis_url").split("worker:")[1].split("@")[0]
    asked = ("exec", redis, "redis-cli", "--no-auth-warning", "--user", "worker", "--pass", password)
    assert docker(*asked, "HLEN", "models").strip() == "1"
    for command in (
        ("HGETALL", "keys"),
        ("DEL", "models"),
        ("KEYS", "*"),
        ("CONFIG", "GET", "*"),
        ("GET", "summary:x"),
    ):
        assert docker(*asked, *command).startswith("NOPERM"), command
