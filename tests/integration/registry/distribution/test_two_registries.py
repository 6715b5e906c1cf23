"""One Corral registry pushes to another and pulls from it, by plain http on loopback."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from fakes.registry_clients import RegistryClient
from fakes.small_models import small_model
from integration.registry.distribution.setup import StartRegistry, running_registry
from shared.manifest import MediaType
from shared.settings import Secret

MODEL = small_model({MediaType.SYSTEM: b"Be brief."}, weights=b"GGUF" + bytes(range(256)) * 1000)


@pytest.fixture
async def far(tmp_path: Path, redis_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """The other registry."""
    async with running_registry(
        models_dir=str(tmp_path / "far"), redis_url=Secret(f"{redis_url}?db=1"), upstream_hosts=""
    ) as http:
        yield http


async def transferred(http: aiohttp.ClientSession, kind: str, model: str) -> list[str]:
    """The steps of a pull or push, without those that only tell how far it got."""
    async with http.post(f"/api/{kind}", json={"model": model, "insecure": True}) as response:
        assert response.status == 200
        lines = [json.loads(line) for line in (await response.text()).splitlines()]
    return [line.get("status") or line["error"] for line in lines if "digest" not in line]


async def test_what_one_pushes_the_other_serves(far: aiohttp.ClientSession, start_registry: StartRegistry) -> None:
    host = str(far._base_url).removeprefix("http://").rstrip("/")
    async with start_registry(upstream_hosts=host, upload_part_bytes=50_000) as near:
        assert await RegistryClient(near, f"{host}/team/bot").push(MODEL, "v1") == 201
        steps = await transferred(near, "push", f"{host}/team/bot:v1")
        assert steps == ["retrieving manifest", "pushing manifest", "success"]
        async with far.get("/v2/team/bot/manifests/v1") as response:
            assert json.loads(await response.read()) == json.loads(MODEL.manifest)
        for digest, content in MODEL.blobs.items():
            async with far.get(f"/v2/team/bot/blobs/{digest}") as response:
                assert await response.read() == content


async def test_what_one_has_the_other_pulls(far: aiohttp.ClientSession, start_registry: StartRegistry) -> None:
    host = str(far._base_url).removeprefix("http://").rstrip("/")
    assert await RegistryClient(far, "team/bot").push(MODEL) == 201
    async with start_registry(upstream_hosts=host) as near:
        steps = await transferred(near, "pull", f"{host}/team/bot")
        assert steps == ["pulling manifest", "verifying sha256 digest", "writing manifest", "success"]
        await RegistryClient(near, f"{host}/team/bot").pull(MODEL)


async def test_a_full_store_refuses_a_pull(far: aiohttp.ClientSession, start_registry: StartRegistry) -> None:
    host = str(far._base_url).removeprefix("http://").rstrip("/")
    assert await RegistryClient(far, "team/bot").push(MODEL) == 201
    async with start_registry(upstream_hosts=host, store_bytes_max=1000) as near:
        steps = await transferred(near, "pull", f"{host}/team/bot")
        assert "the model store is full" in steps[-1]
