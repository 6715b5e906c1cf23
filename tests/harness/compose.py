"""The deployment as a team starts it: compose.yaml's own services, in a project folder of their own on loopback ports.

Only what has no image to be had everywhere is replaced: the three exporters come from Debian's packages
(tests/compose/override.yaml), Grafana stays away.
"""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cluster import free_port
from source import ROOT

PROJECT = "corral-test"
SERVER_NAMES = ("localhost", "corral.test", "redis.corral.test")
BUILD_S = 3600.0
COMMAND_S = 300.0
OVERRIDE = ROOT / "tests" / "compose" / "override.yaml"


@dataclass(frozen=True)
class Stack:
    """A Compose project: its folder (with .env and deploy/site/) and the port of its front door."""

    folder: Path
    https_port: int
    files: tuple[str, ...] = ("compose.yaml", str(OVERRIDE))
    project: str = PROJECT

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https_port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "deploy" / "site" / "tls" / "certificate.pem"

    def secret(self, name: str) -> str:
        return (self.folder / "deploy" / "site" / "secrets" / name).read_text(encoding="utf-8").strip()

    def compose(self, *arguments: str, timeout_s: float = COMMAND_S) -> str:
        """What `docker compose …` prints.

        Raises: AssertionError with all of its output if it fails.
        """
        files = [part for file in self.files for part in ("-f", str(self.folder / file))]
        command = ["docker", "compose", "-p", self.project, *files, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout_s, cwd=self.folder)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def containers(self, service: str = "") -> list[str]:
        """Ids of the running containers, of one service or of all."""
        return self.compose("ps", "-q", *([service] if service else [])).split()

    def state(self, container: str) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(docker("inspect", "-f", "{{json .State}}", container))
        return state

    def is_healthy(self, container: str) -> bool:
        state = self.state(container)
        return bool(state["Running"]) and state.get("Health", {}).get("Status", "healthy") == "healthy"

    def end_process(self, container: str) -> None:
        """End a container's first process from outside, so that its restart policy acts (`docker kill` prevents it)."""
        before = self.state(container)
        os.kill(before["Pid"], signal.SIGKILL)
        self.until(lambda: self.state(container)["StartedAt"] != before["StartedAt"])

    def restart(self, container: str) -> None:
        docker("restart", "--time", "45", container)

    def until(self, condition: Callable[[], bool], *, within_s: float = 90.0) -> None:
        deadline_s = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline_s, f"not so after {within_s:.0f} s"
            time.sleep(0.1)

    def trust(self) -> ssl.SSLContext:
        """What a client needs to believe the site's own certificate."""
        return ssl.create_default_context(cafile=self.certificate)

    def corral(self, *arguments: str) -> str:
        """What the command line says inside a gateway's container, as the admin."""
        return self.compose("exec", "-T", "gateway", "corral", *arguments)

    def user_key(self, name: str, *options: str) -> str:
        """The API key of a new user."""
        found = re.search(r"corral_\S+", self.corral("keys", "create", name, *options))
        assert found is not None
        return found[0]


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True, timeout=COMMAND_S)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def engine_problem() -> str:
    """Why there is no Docker engine with Compose here, or nothing."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if subprocess.run(command, check=False, capture_output=True, timeout=60).returncode != 0:
            return f"`{' '.join(command)}` fails"
    return ""


def build_images() -> None:
    """Build what compose.yaml and the override build; quick when nothing changed."""
    command = [
        "docker",
        "compose",
        "-f",
        str(ROOT / "compose.yaml"),
        "-f",
        str(OVERRIDE),
        "--project-directory",
        str(ROOT),
    ]
    variables = {**os.environ, "CORRAL_SERVER_NAME": "localhost", "CORRAL_PUBLIC_URL": "https://localhost"}
    subprocess.run([*command, "--profile", "*", "build"], check=True, timeout=BUILD_S, env=variables)


def new_stack(folder: Path) -> Stack:
    """A project folder as `make init` leaves it, not started."""
    for file in ("compose.yaml", "compose.hosts.yaml"):
        shutil.copy(ROOT / file, folder)
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("site"))
    stack = Stack(folder, free_port())
    ports = ("--http-port", str(free_port()), "--https-port", str(stack.https_port))
    command = [
        sys.executable,
        "-m",
        "corral",
        "init",
        "--folder",
        str(folder),
        "--server-name",
        ",".join(SERVER_NAMES),
        *ports,
    ]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
    return stack


def wait_until_healthy(stack: Stack, *services: str) -> float:
    """Seconds until every container of these services is healthy."""
    started_s = time.monotonic()
    stack.until(lambda: all(_service_is_healthy(stack, service) for service in services))
    return time.monotonic() - started_s


def _service_is_healthy(stack: Stack, service: str) -> bool:
    containers = stack.containers(service)
    return bool(containers) and all(stack.is_healthy(container) for container in containers)
