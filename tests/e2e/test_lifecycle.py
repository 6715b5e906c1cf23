"""Start, stop, memory and full queues of whole clusters."""

import concurrent.futures
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from harness.cluster import MODEL, Cluster, start_cluster

MIB = 1 << 20


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corral")


def test_sigterm_ends_every_process(home: Path) -> None:
    cluster = start_cluster(home, CORRAL_WORKERS="2")
    assert len(cluster.processes("services.worker")) == 2
    assert httpx.post(f"{cluster.url}/api/generate", json={"model": MODEL}, timeout=60).status_code == 200
    below = cluster.processes()
    assert any("services.worker.runner" in process.cmdline() for process in below)
    assert cluster.stop() == 0
    wait_until_gone(below)


def test_killing_the_supervisor_leaves_no_process_behind(home: Path) -> None:
    cluster = start_cluster(home)
    assert httpx.post(f"{cluster.url}/api/generate", json={"model": MODEL}, timeout=60).status_code == 200
    below = cluster.processes()
    cluster.kill()
    wait_until_gone(below)


def test_a_full_queue_answers_503_in_ollamas_words(home: Path) -> None:
    cluster = start_cluster(home, CORRAL_NUM_PARALLEL="1", CORRAL_GATEWAY_QUEUE_DEPTH_MAX="1")
    try:
        body = {"model": MODEL, "prompt": "A long story.", "stream": False, "options": {"num_predict": 150}}
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            replies = list(
                pool.map(lambda _: httpx.post(f"{cluster.url}/api/generate", json=body, timeout=60), range(6))
            )
    finally:
        cluster.stop()
    refused = [reply for reply in replies if reply.status_code == 503]
    assert 1 <= len(refused) < 6
    assert {reply.json()["error"] for reply in refused} == {
        "server busy, please try again.  maximum pending requests exceeded"
    }
    assert all("retry-after" in reply.headers for reply in refused)
    assert [reply.status_code for reply in replies].count(200) == 6 - len(refused)


def test_idle_services_are_small(cluster: Cluster) -> None:
    def resident_mib(module: str) -> float:
        return max(process.memory_info().rss for process in cluster.processes(module)) / MIB

    assert resident_mib("services.gateway") < 120
    assert resident_mib("services.registry") < 120
    assert resident_mib("services.worker") < 150


def test_the_command_line_runs_lists_and_stops(cluster: Cluster) -> None:
    def corral(*arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "corral", *arguments],
            input=stdin, env={"CORRAL_HOST": cluster.url, "PATH": "/usr/bin"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert MODEL in corral("list")
    assert len(corral("run", MODEL, "Say hello.").strip()) > 3
    assert len(corral("run", MODEL, stdin="Say hello.").strip()) > 3
    assert MODEL in corral("ps")
    assert "llama" in corral("show", MODEL)
    corral("stop", MODEL)
    deadline_s = time.monotonic() + 10
    while MODEL in corral("ps"):
        assert time.monotonic() < deadline_s
