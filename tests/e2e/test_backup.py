"""A cluster that was backed up and is gone: on a new one the same key gets the same answer of the same model."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import ollama

from harness.cluster import CONTEXT_TOKENS, MODEL, Cluster, start_cluster

ADMIN_KEY = "an-admin-key-of-the-settings"
ASKED = {"prompt": "Tell me about the sea.", "stream": False, "options": {"temperature": 0, "num_predict": 24}}


def corral(cluster: Cluster, *arguments: str) -> str:
    environ = {**os.environ, "CORRAL_HOST": cluster.url, "CORRAL_API_KEY": ADMIN_KEY}
    return subprocess.run(
        [sys.executable, "-m", "corral", *arguments], env=environ, capture_output=True, text=True, check=True
    ).stdout


def answer(cluster: Cluster, model: str, key: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{cluster.url}/api/generate", json={"model": model, **ASKED}, headers=headers, timeout=60)


def test_an_old_key_gets_the_old_answer_from_a_new_cluster(
    cluster: Cluster, client: ollama.Client, tmp_path: Path
) -> None:
    file = tmp_path / "backup.tar"
    client.create("sailor", from_=MODEL, system="You are an old sailor.")
    key = corral(cluster, "keys", "create", "ann").strip()
    try:
        before = answer(cluster, "sailor", key).json()["response"]
        assert "2 models" in corral(cluster, "backup", str(file))
    finally:
        client.delete("sailor")
        (row,) = [line for line in corral(cluster, "keys", "list").splitlines() if " ann " in line]
        corral(cluster, "keys", "revoke", row.split()[0])
    locked = {"CORRAL_GATEWAY_REQUIRE_KEYS": "true", "CORRAL_GATEWAY_ADMIN_KEY": ADMIN_KEY}
    other = start_cluster(tmp_path / "home", CORRAL_CONTEXT_TOKENS=str(CONTEXT_TOKENS), **locked)
    try:
        assert answer(other, "sailor", key).status_code == 401
        told = corral(other, "restore", str(file)).splitlines()
        assert f"model '{MODEL}' is there already" in told, "every cluster brings the bundled one along"
        assert "added model 'sailor:latest'" in told
        after = answer(other, "sailor", key)
        assert after.status_code == 200
        assert after.json()["response"] == before
    finally:
        other.stop()
