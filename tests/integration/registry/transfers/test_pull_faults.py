"""Pulls over bad networks: whatever happens on the way, no wrong blob is ever published."""

import hashlib
import os
import random
from pathlib import Path

import ollama
import pytest

from harness.fault_proxy import FaultProxy
from harness.model_source import ModelSource
from harness.nginx import running_nginx
from integration.registry.transfers.conftest import PART_BYTES, StartRegistry
from shared.digest import Digest, digest_of
from shared.manifest import MediaType

RUNS_COUNT = int(os.environ.get("PULL_FAULT_RUNS", "12"))
"""Seeds tried; raise it to look longer."""

SIZE_BYTES = 3 << 20
ATTEMPTS_MAX = 20


def random_model(source: ModelSource, seed: int) -> list[Digest]:
    """Keep a model of random content; gives the digests of its layers."""
    content = random.Random(seed)
    layers = {MediaType.MODEL: content.randbytes(SIZE_BYTES), MediaType.TEMPLATE: content.randbytes(100)}
    source.add("team/tiny:latest", layers)
    return [digest_of(layer) for layer in layers.values()]


def wrong_blobs(models_dir: Path) -> list[str]:
    """Published blobs that are not what their name says."""
    blobs = [path for path in (models_dir / "blobs").iterdir() if len(path.name) == len("sha256-") + 64]
    return [path.name for path in blobs if hashlib.sha256(path.read_bytes()).hexdigest() != path.name[7:]]


@pytest.mark.parametrize("seed", range(RUNS_COUNT))
async def test_random_faults_never_publish_a_wrong_blob_and_the_model_comes_in_the_end(
    start_registry: StartRegistry, host: str, source: ModelSource, models_dir: Path, seed: int
) -> None:
    digests = random_model(source, seed)
    async with FaultProxy(host, seed=seed, within_bytes=PART_BYTES).running() as proxy:
        async with (
            start_registry(proxy.address, upstream_stall_s=0.2) as url,
            ollama.AsyncClient(url) as client,
        ):
            for _ in range(ATTEMPTS_MAX):
                try:
                    await client.pull(f"{proxy.address}/team/tiny", insecure=True)
                    break
                except ollama.ResponseError:
                    assert wrong_blobs(models_dir) == []
                    proxy.likelihood /= 2
            else:
                raise AssertionError(f"no pull came through; faults: {proxy.faults}")
        assert wrong_blobs(models_dir) == []
        assert all((models_dir / "blobs" / digest.replace(":", "-")).exists() for digest in digests)
        assert proxy.faults


@pytest.mark.parametrize("kind", ["cut", "stall", "corrupt"])
async def test_every_kind_of_fault_is_survived_within_one_pull(
    start_registry: StartRegistry, host: str, source: ModelSource, models_dir: Path, kind: str
) -> None:
    """Each of the first connections has the fault; later ones are sound."""
    random_model(source, 1)
    proxy = FaultProxy(host, seed=1, kinds=(kind,), likelihood=0.3, within_bytes=PART_BYTES)
    async with (
        proxy.running(),
        start_registry(proxy.address, upstream_stall_s=0.2) as url,
        ollama.AsyncClient(url) as client,
    ):
        assert (await client.pull(f"{proxy.address}/team/tiny", insecure=True)).status == "success"
    assert wrong_blobs(models_dir) == []
    assert proxy.faults[kind]


async def test_a_cut_costs_only_what_was_on_its_way(
    start_registry: StartRegistry, host: str, source: ModelSource, models_dir: Path
) -> None:
    digests = random_model(source, 2)
    proxy = FaultProxy(host, seed=2, kinds=("cut",), likelihood=1.0, within_bytes=PART_BYTES)
    async with (
        proxy.running(),
        start_registry(proxy.address, pull_parts_parallel=2) as url,
        ollama.AsyncClient(url) as client,
    ):
        await client.pull(f"{proxy.address}/team/tiny", insecure=True)
    assert proxy.faults["cut"] > 3
    ranges = [(start, end) for digest, start, end in source.ranges if digest == digests[0]]
    # Every range that was asked again begins further on than the one that was cut.
    assert len(set(ranges)) == len(ranges) > SIZE_BYTES // PART_BYTES


async def test_a_registry_that_stays_silent_fails_the_pull_which_may_be_tried_again(
    start_registry: StartRegistry, host: str, source: ModelSource, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registry.transfers.retries.PAUSE_S_MAX", 0.01)
    digests = random_model(source, 3)
    async with (
        start_registry(host, upstream_stall_s=0.05, pull_parts_parallel=1) as url,
        ollama.AsyncClient(url) as client,
    ):
        source.open.clear()
        with pytest.raises(ollama.ResponseError, match="timeout"):
            await client.pull(f"{host}/team/tiny", insecure=True)
        source.open.set()
        assert (await client.pull(f"{host}/team/tiny", insecure=True)).status == "success"
    assert (models_dir / "blobs" / digests[0].replace(":", "-")).exists()


async def test_a_full_store_is_said_before_anything_is_fetched(
    start_registry: StartRegistry, host: str, source: ModelSource, models_dir: Path
) -> None:
    random_model(source, 4)
    async with start_registry(host, store_bytes_max=SIZE_BYTES) as url, ollama.AsyncClient(url) as client:
        with pytest.raises(ollama.ResponseError, match="the model store is full"):
            await client.pull(f"{host}/team/tiny", insecure=True)
    assert source.ranges == []


async def test_blobs_come_from_where_the_registry_sends_readers(
    start_registry: StartRegistry, host: str, source: ModelSource, models_dir: Path, tmp_path: Path
) -> None:
    """A real nginx, as the storage behind big registries."""
    digests = random_model(source, 5)
    served, run = tmp_path / "served", tmp_path / "nginx"
    for folder in (served, run):
        folder.mkdir()
    for digest, content in source.blobs.items():
        (served / digest).write_bytes(content)
    async with running_nginx(served, run) as storage:
        source.redirect_to = f"http://{storage}"
        async with start_registry(f"{host},{storage}") as url, ollama.AsyncClient(url) as client:
            assert (await client.pull(f"{host}/team/tiny", insecure=True)).status == "success"
    assert wrong_blobs(models_dir) == []
    assert source.sent_bytes == {}
    assert (models_dir / "blobs" / digests[0].replace(":", "-")).exists()
