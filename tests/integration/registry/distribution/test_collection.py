"""The collection runs all the time beside pushes, pulls and deletions, and takes only what nobody needs."""

import asyncio
import os
import time
from pathlib import Path

import aiohttp

from fakes import gguf_files as fake
from fakes.polling import until
from fakes.registry_clients import RegistryClient
from fakes.small_models import SmallModel, small_model
from integration.registry.distribution.setup import StartRegistry
from shared.digest import Digest, digest_of
from shared.manifest import MediaType

BUSY = {"collect_interval_s": 0.005, "collect_grace_s": 0.2, "upload_idle_s": 0.2}
"""A grace period much shorter than the test, and a collection all the time."""


def blob_names(models_dir: Path) -> set[str]:
    return {path.name for path in (models_dir / "blobs").iterdir()}


def file_name(digest: Digest) -> str:
    return digest.replace(":", "-")


def variant(number: int) -> SmallModel:
    """A model that shares some of its blobs with the others."""
    weights = fake.tiny_model(general__name=fake.string(f"model {number % 3}"))
    return small_model({MediaType.SYSTEM: f"system {number}".encode(), MediaType.LICENSE: b"shared"}, weights=weights)


async def push_replace_and_delete(http: aiohttp.ClientSession, repository: str) -> None:
    client = RegistryClient(http, repository)
    for number in range(6):
        model = variant(number)
        assert await client.push(model) == 201
        await client.pull(model)
    async with http.delete(f"/v2/{repository}/manifests/latest") as response:
        assert response.status == 202


async def test_pushes_replacements_and_deletions_beside_a_busy_collection(
    start_registry: StartRegistry, models_dir: Path
) -> None:
    async with start_registry(**BUSY) as http:
        kept = RegistryClient(http, "team/kept")
        assert await kept.push(variant(0)) == 201
        await asyncio.gather(*(push_replace_and_delete(http, f"team/bot{number}") for number in range(5)))
        await kept.pull(variant(0))
        expected = {file_name(digest) for digest in variant(0).blobs}
        await until(lambda: blob_names(models_dir) == expected, within_s=20)
        await kept.pull(variant(0))


async def test_a_deletion_under_a_push_does_not_take_what_the_push_was_told_is_here(
    start_registry: StartRegistry,
) -> None:
    model = variant(1)
    async with start_registry(collect_interval_s=0.005) as http:
        client = RegistryClient(http, "team/bot")
        assert await client.push(model, "old") == 201
        for digest in model.blobs:
            assert (await http.head(f"/v2/team/bot/blobs/{digest}")).status == 200
        assert (await http.delete("/v2/team/bot/manifests/old")).status == 202
        assert await client.push_manifest(model.manifest, "new") == 201
        await client.pull(model, "new")


async def test_a_deletion_after_a_pull_frees_the_space_at_once(start_registry: StartRegistry, models_dir: Path) -> None:
    model = variant(1)
    async with start_registry() as http:
        client = RegistryClient(http, "team/bot")
        await client.push(model)
        for digest in model.blobs:
            assert (await http.head(f"/v2/team/bot/blobs/{digest}")).status == 200
        await client.pull(model)
        assert (await http.delete("/v2/team/bot/manifests/latest")).status == 202
        assert blob_names(models_dir) == set()


async def test_what_was_left_behind_is_collected_at_start_and_the_rest_stays(
    start_registry: StartRegistry, models_dir: Path
) -> None:
    async with start_registry() as http:
        await RegistryClient(http, "team/bot").push(variant(0))
    blobs = models_dir / "blobs"
    needed = blob_names(models_dir)
    digest = digest_of(b"left behind")
    (blobs / file_name(digest)).write_bytes(b"left behind")
    (blobs / f"upload-{'0' * 32}").write_bytes(b"given up")
    partial = blobs / f"{file_name(digest_of(b'a download'))}-partial"
    partial.write_bytes(b"begun yesterday")
    hour_ago = time.time() - 7200
    os.utime(partial, (hour_ago, hour_ago))
    (blobs / "notes.txt").write_bytes(b"a stranger's")
    # The grace period must have passed for the first two; a partial download has a day.
    await asyncio.to_thread(wait_until_older, blobs / file_name(digest), 0.05)
    async with start_registry(collect_grace_s=0.05, upload_idle_s=0.05):
        await until(lambda: blob_names(models_dir) == {*needed, partial.name, "notes.txt"})


def wait_until_older(path: Path, age_s: float) -> None:
    """File times are the kernel's, so there is no clock to move."""
    while time.time() - path.stat().st_ctime < age_s:
        os.sched_yield()


async def test_a_replaced_models_weights_can_still_be_fetched(start_registry: StartRegistry, models_dir: Path) -> None:
    first, second = variant(0), variant(1)
    async with start_registry(collect_interval_s=0.005) as http:
        client = RegistryClient(http, "team/bot")
        await client.push(first)
        await client.push(second)
        for digest, content in first.blobs.items():
            async with http.get(f"/api/blobs/{digest}") as response:
                assert await response.read() == content


async def test_asking_again_and_again_does_not_keep_a_deleted_model(start_registry: StartRegistry) -> None:
    model = variant(1)
    weights = next(iter(model.blobs.keys() - variant(0).blobs.keys()))
    async with start_registry(**BUSY) as http:
        assert await RegistryClient(http, "team/kept").push(variant(0)) == 201
        assert await RegistryClient(http, "team/secret").push(model) == 201
        url = f"/v2/team/secret/blobs/{weights}"
        assert (await http.head(url)).status == 200
        assert (await http.delete("/v2/team/secret/manifests/latest")).status == 202
        deadline_s = time.monotonic() + 10
        while (await http.head(url)).status == 200:
            assert time.monotonic() < deadline_s, "readers keep it"
