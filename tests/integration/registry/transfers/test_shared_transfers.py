"""One pull for all who want it: joined, left, found again, cancelled, and going on after a restart."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import ollama
import pytest
from redis.asyncio import Redis

from fakes.polling import until
from harness.model_source import ModelSource
from harness.valkey import running_valkey
from integration.registry.transfers.conftest import StartRegistry
from services.registry.paths import StorePaths
from shared import keys
from shared.digest import digest_of
from shared.manifest import MediaType
from shared.settings import Secret

WEIGHTS = bytes(range(256)) * 8192  # 2 MiB
DIGEST = digest_of(WEIGHTS)
CLIENTS_COUNT = 20


@pytest.fixture
def held_back(source: ModelSource) -> ModelSource:
    """A source that begins to send blobs when it is told to."""
    source.add_weights("team/tiny:latest", WEIGHTS)
    source.open.clear()
    return source


async def transfers_at(url: str) -> list[dict[str, object]]:
    async with aiohttp.ClientSession(url) as http, http.get("/api/transfers") as response:
        found: list[dict[str, object]] = (await response.json())["transfers"]
        return found


async def are_asked_for(source: ModelSource) -> bool:
    return len(source.ranges) == 8  # the parts of the weights


def published(models_dir: Path) -> bool:
    return StorePaths(models_dir).blob(DIGEST).exists()


async def begun(url: str, model: str) -> str:
    """Start a pull and leave as soon as it is on its way; gives its id."""
    async with aiohttp.ClientSession(url) as http:
        response = await http.post("/api/pull", json={"model": model, "insecure": True})
        await response.content.readline()
        response.close()
    (transfer,) = await transfers_at(url)
    return str(transfer["id"])


async def test_many_clients_of_one_model_fetch_it_once(
    pulling_url: str, host: str, held_back: ModelSource, models_dir: Path
) -> None:
    async def pull(client: ollama.AsyncClient) -> list[str | None]:
        steps: AsyncIterator[ollama.ProgressResponse] = await client.pull(
            f"{host}/team/tiny", insecure=True, stream=True
        )
        return [step.status async for step in steps]

    async with ollama.AsyncClient(pulling_url) as client:
        pulls = [asyncio.create_task(pull(client)) for _ in range(CLIENTS_COUNT)]
        await until(lambda: are_asked_for(held_back))
        held_back.open.set()
        for statuses in await asyncio.gather(*pulls):
            assert (statuses[0], statuses[-1]) == ("pulling manifest", "success")
    assert held_back.manifest_requests == {"team/tiny:latest": 1}
    assert held_back.sent_bytes[DIGEST] == len(WEIGHTS)


async def test_models_that_share_a_blob_fetch_it_once(
    pulling_url: str, host: str, held_back: ModelSource, models_dir: Path
) -> None:
    held_back.add("team/other:latest", {MediaType.MODEL: WEIGHTS, MediaType.SYSTEM: b"Be brief."})
    async with ollama.AsyncClient(pulling_url) as client:
        names = (f"{host}/team/tiny", f"{host}/team/other")
        pulls = [asyncio.create_task(client.pull(name, insecure=True)) for name in names]
        await until(lambda: are_asked_for(held_back))
        held_back.open.set()
        assert [reply.status for reply in await asyncio.gather(*pulls)] == ["success", "success"]
    assert held_back.sent_bytes[DIGEST] == len(WEIGHTS)


async def test_a_pull_goes_on_without_its_client_and_is_found_again(
    pulling_url: str, host: str, held_back: ModelSource, models_dir: Path
) -> None:
    await begun(pulling_url, f"{host}/team/tiny")
    await until(lambda: are_asked_for(held_back))
    async with ollama.AsyncClient(pulling_url) as client:
        steps = await client.pull(f"{host}/TEAM/tiny:LATEST", insecure=True, stream=True)
        first, second = await anext(steps), await anext(steps)
        assert (first.status, second.digest, second.total) == ("pulling manifest", DIGEST, len(WEIGHTS))
        held_back.open.set()
        assert [step.status async for step in steps][-1] == "success"
    assert held_back.manifest_requests == {"team/tiny:latest": 1}
    assert published(models_dir)


async def test_transfers_are_listed_with_how_far_they_are(pulling_url: str, host: str, held_back: ModelSource) -> None:
    transfer_id = await begun(pulling_url, f"{host}/team/tiny")
    await until(lambda: are_asked_for(held_back))
    assert await transfers_at(pulling_url) == [
        {
            "id": transfer_id,
            "kind": "pull",
            "model": f"{host}/team/tiny:latest",
            "status": f"pulling {DIGEST[7:19]}",
            "total": len(WEIGHTS),
            "completed": 0,
        }
    ]
    held_back.open.set()
    await until(lambda: is_empty(pulling_url))


async def is_empty(url: str) -> bool:
    return await transfers_at(url) == []


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "waiting"])
async def test_a_cancelled_pull_ends_for_everybody_and_does_not_come_back(
    start_registry: StartRegistry,
    host: str,
    held_back: ModelSource,
    models_dir: Path,
    redis: Redis,
    is_running: bool,
) -> None:
    held_back.add("team/before:latest", {MediaType.MODEL: b"before"})
    async with start_registry(host, transfers_max=1) as url, aiohttp.ClientSession(url) as http:
        if not is_running:
            await begun(url, f"{host}/team/before")
        following = await http.post("/api/pull", json={"model": f"{host}/team/tiny", "insecure": True})
        first = json.loads(await following.content.readline())
        assert first == {"status": "pulling manifest" if is_running else "waiting for other transfers"}
        transfer_id = (await transfers_at(url))[-1]["id"]
        assert (await http.delete(f"/api/transfers/{transfer_id}")).status == 200
        *_, last = (await following.text()).splitlines()
        assert json.loads(last) == {"error": "the pull was cancelled"}
        async with http.delete(f"/api/transfers/{transfer_id}") as gone:
            assert gone.status == 404
        assert transfer_id not in {member.decode() for member in await redis.zrange(keys.REGISTRY_JOBS, 0, -1)}
    held_back.open.set()
    assert not published(models_dir)


async def test_a_cancelled_pull_goes_on_where_it_stopped_when_it_is_wanted_again(
    start_registry: StartRegistry, host: str, held_back: ModelSource, models_dir: Path
) -> None:
    held_back.open.set()
    held_back.piece_pause_s = 0.01
    async with start_registry(host, pull_parts_parallel=2) as url:
        transfer_id = await begun(url, f"{host}/team/tiny")
        await until(lambda: held_back.sent_bytes[DIGEST] > len(WEIGHTS) // 3)
        async with aiohttp.ClientSession(url) as http:
            await http.delete(f"/api/transfers/{transfer_id}")
        held_back.piece_pause_s = 0.0
        sent_bytes = held_back.sent_bytes[DIGEST]
        async with ollama.AsyncClient(url) as client:
            await client.pull(f"{host}/team/tiny", insecure=True)
    again_bytes = held_back.sent_bytes[DIGEST] - len(WEIGHTS)
    assert sent_bytes < len(WEIGHTS)
    assert again_bytes <= 2 * 2 * (64 << 10)  # of two connections, what was on its way


async def test_a_restart_goes_on_with_what_was_wanted(
    start_registry: StartRegistry, host: str, held_back: ModelSource, models_dir: Path, redis: Redis
) -> None:
    async with aiohttp.ClientSession() as http:
        async with start_registry(host) as url:
            following = await http.post(f"{url}api/pull", json={"model": f"{host}/team/tiny", "insecure": True})
            await until(lambda: are_asked_for(held_back))
        *_, last = (await following.text()).splitlines()
    assert json.loads(last) == {"error": "the registry is stopping; the pull goes on when it is back"}
    assert await redis.zcard(keys.REGISTRY_JOBS) == 1
    held_back.open.set()
    async with start_registry(host):
        await until(lambda: published(models_dir))
        await until(lambda: nothing_recorded(redis))


async def nothing_recorded(redis: Redis) -> bool:
    return not await redis.zrange(keys.REGISTRY_JOBS, 0, -1)


async def test_without_redis_a_pull_is_refused_with_a_reason(start_registry: StartRegistry, host: str) -> None:
    async with (
        start_registry(host, redis_url=Secret("redis://127.0.0.1:1")) as url,
        aiohttp.ClientSession(url) as http,
        http.post("/api/pull", json={"model": f"{host}/team/tiny", "insecure": True}) as response,
    ):
        assert response.status == 503
        assert await response.json() == {"error": "the pull cannot be started: Redis cannot be reached"}
        assert response.headers["Retry-After"] == "1"


async def test_a_pull_goes_on_while_redis_is_away(
    start_registry: StartRegistry, host: str, held_back: ModelSource, models_dir: Path
) -> None:
    with contextlib.ExitStack() as server:
        async with start_registry(host, redis_url=Secret(server.enter_context(running_valkey()))) as url:
            await begun(url, f"{host}/team/tiny")
            await until(lambda: are_asked_for(held_back))
            server.close()
            held_back.open.set()
            await until(lambda: published(models_dir))
            await until(lambda: is_empty(url))
