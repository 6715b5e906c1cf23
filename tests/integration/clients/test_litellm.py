"""litellm over the three dialects it speaks."""

from redis.asyncio import Redis

from fakes.worker import ScriptedWorker
from harness.client_rooms import litellm
from integration.gateway.setup import until_no_job_is_left


async def test_litellm_finds_itself_at_home_in_every_dialect(url: str, worker: ScriptedWorker, redis: Redis) -> None:
    found = await litellm(url, "able", "embedder")
    vectors = found.pop("embeddings")
    assert [[round(number, 5) for number in vector] for vector in vectors[:1]] == [[3 / 5, 4 / 5]]
    assert set(found) == {"ollama_chat", "openai", "anthropic"}
    for said in found.values():
        assert said == {
            "chat": "Hello there",
            "streamed": "Hello there",
            "calls": [["get_weather", {"city": "Paris"}]],
            "answer": "It is sunny",
            "structured": {"name": "Ann", "age": 7},
            "cancelled": 3,
        }
    await until_no_job_is_left(redis)
    assert len(worker.cancelled) == len(found)
