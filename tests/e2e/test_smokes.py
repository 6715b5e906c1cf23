"""A cluster looks after its models by itself, and tells whoever asks."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from harness.cluster import MODEL, start_cluster

WITHIN_S = 30


def test_a_model_in_memory_answers_the_clusters_own_requests(tmp_path: Path) -> None:
    cluster = start_cluster(tmp_path, CORRAL_GATEWAY_SMOKE_INTERVAL_S="1")
    try:
        assert httpx.post(f"{cluster.url}/api/generate", json={"model": MODEL}, timeout=60).status_code == 200
        deadline_s = time.monotonic() + WITHIN_S
        while not (models := httpx.get(f"{cluster.url}/api/smoke").json()["models"]):
            assert time.monotonic() < deadline_s, "no smoke was made"
            time.sleep(0.1)
        environ = {**os.environ, "CORRAL_HOST": cluster.url}
        command = [sys.executable, "-m", "corral", "smoke"]
        told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=True).stdout
    finally:
        assert cluster.stop() == 0
    (model,) = models
    first = model["smokes"][0]
    assert (model["model"], first["outcome"], first["tokens"]) == (MODEL, "ok", 4)
    assert 0 < first["first_token_s"] < first["total_s"]
    assert told.splitlines()[1].startswith(MODEL)
