"""`/api/ps` over several workers."""

from datetime import datetime

import aiohttp
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.worker import ScriptedWorker, say
from integration.gateway.setup import EMBEDDING_WEIGHTS

EXPIRES_MS = 1_800_000_000_000


async def test_a_model_on_two_workers_is_one_row_and_the_last_to_expire_comes_first(
    gateway_url: str, redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    def worker(name: str, expires_unix_ms: int | None, *, device_bytes: int = 0) -> ScriptedWorker:
        return ScriptedWorker(
            redis, redis_url, WEIGHTS, play=say(""), worker_id=name, expires_unix_ms=expires_unix_ms,
            device_bytes=device_bytes,
        )  # fmt: skip

    embedder = ScriptedWorker(
        redis,
        redis_url,
        EMBEDDING_WEIGHTS,
        play=say(""),
        worker_id="c",
        model="registry.ollama.ai/library/embedder:latest",
    )
    for one in (worker("a", EXPIRES_MS), worker("b", EXPIRES_MS + 1500, device_bytes=600), embedder):
        await one.announce()
    async with http.get(f"{gateway_url}/api/ps") as response:
        forever, twice = (await response.json())["models"]
    assert twice == {
        "name": "tiny:latest",
        "model": "tiny:latest",
        "size": 2_000,
        "digest": "d" * 64,
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "135M",
            "quantization_level": "Q4_0",
        },
        "expires_at": "2027-01-15T08:00:01.500000Z",
        "size_vram": 600,
        "context_length": 4096,
    }
    assert forever["name"] == "embedder:latest"
    assert datetime.fromisoformat(forever["expires_at"]).year > 2300


async def test_nothing_loaded_is_an_empty_list(gateway_url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{gateway_url}/api/ps") as response:
        assert await response.json() == {"models": []}
