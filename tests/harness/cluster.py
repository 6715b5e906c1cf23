"""A whole cluster, started the way a user starts it, with the bundled model and nothing replaced."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

MODEL = "smollm2:135m"
SLOTS_COUNT = 8
CONTEXT_TOKENS = 1024
READY_LINE = "Ctrl-C stops the cluster"
STOP_S = 45
SLOTS_WAIT_S = 10


@dataclass
class Cluster:
    """A running cluster: its supervisor's process, its address, its data."""

    supervisor: "subprocess.Popen[str]"
    url: str
    home: Path

    def processes(self, module: str = "") -> list[psutil.Process]:
        """All processes below the supervisor, or those that run `module`."""
        below = psutil.Process(self.supervisor.pid).children(recursive=True)
        return [process for process in below if not module or module in process.cmdline()]

    @property
    def redis_url(self) -> str:
        (gateway,) = self.processes("services.gateway")
        return gateway.environ()["CORRAL_GATEWAY_REDIS_URL"]

    def stop(self) -> int:
        """Ask the supervisor to stop and give its exit status."""
        self.supervisor.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """End the supervisor at once; what it started must notice by itself."""
        self.supervisor.kill()
        self._ended()

    def _ended(self) -> int:
        assert self.supervisor.stdout is not None
        status = self.supervisor.wait(timeout=STOP_S)
        self.supervisor.stdout.close()
        return status


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_cluster(home: Path, **variables: str) -> Cluster:
    """Start `corral up` and wait until it says that it serves."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CORRAL_")}
    # Smokes come with the clock and would be counted among what a test asks for.
    quiet = {"PYTHONUNBUFFERED": "1", "CORRAL_GATEWAY_SMOKE_INTERVAL_S": "0"}
    environment |= {"CORRAL_HOME": str(home), "CORRAL_PORT": str(port), **quiet, **variables}
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "corral", "up", "--no-prompt"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert supervisor.stdout is not None
    said: list[str] = []
    for line in supervisor.stdout:
        said.append(line)
        if READY_LINE in line:
            return Cluster(supervisor, f"http://127.0.0.1:{port}", home)
    raise AssertionError("the cluster did not start:\n" + "".join(said))


def slots_in_use(cluster: Cluster) -> int:
    return worker_metric(cluster, "corral_worker_slots_in_use ")


def worker_metric(cluster: Cluster, beginning: str) -> int:
    """The samples whose lines begin so, summed over all workers."""
    total = 0
    for worker in cluster.processes("services.worker"):
        for connection in worker.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN:
                text = httpx.get(f"http://127.0.0.1:{connection.laddr.port}/metrics").text
                total += sum(int(float(line.split()[1])) for line in text.splitlines() if line.startswith(beginning))
    return total


def wait_for_slots(cluster: Cluster, wanted: int) -> None:
    deadline_s = time.monotonic() + SLOTS_WAIT_S
    while slots_in_use(cluster) != wanted:
        assert time.monotonic() < deadline_s, f"{slots_in_use(cluster)} slots in use, not {wanted}"
        time.sleep(0.05)
