"""`corral doctor` looks a whole cluster over, with nothing in it replaced."""

import json
import os
import subprocess
import sys

from harness.cluster import Cluster


def test_a_cluster_as_it_is_started_has_no_problem(cluster: Cluster) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CORRAL_")}
    looked = subprocess.run(
        [sys.executable, "-m", "corral", "doctor", "--json"],
        env={**environment, "CORRAL_HOST": cluster.url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = {one["check"]: one["level"] for one in json.loads(looked.stdout)["findings"]}
    assert looked.returncode == 0, looked.stdout
    assert found["Keys"] == "warning", "a local cluster needs none"
    told_by_real_parts = ("Streaming", "Versions", "Registry", "Workers", "Models", "Clocks", "Redis persistence")
    assert {name: found[name] for name in told_by_real_parts} == dict.fromkeys(told_by_real_parts, "ok")
