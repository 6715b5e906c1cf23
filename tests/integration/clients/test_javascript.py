"""The npm packages `ollama` and `ai-sdk-ollama`, unchanged."""

from redis.asyncio import Redis

from fakes.worker import ScriptedWorker
from harness.client_rooms import javascript
from integration.gateway.setup import until_no_job_is_left

UNIT = [3 / 5, 4 / 5]
WEATHER_CALL = {"name": "get_weather", "arguments": {"city": "Paris"}}


async def test_the_ollama_package_finds_itself_at_home(url: str, worker: ScriptedWorker, redis: Redis) -> None:
    found = await javascript("ollama.mjs", url, "able", "embedder")
    assert found["chat"] == found["generated"] == "Hello there"
    assert found["streamed"] == {"text": "Hello there", "thinking": "", "calls": [], "isDone": True}
    assert found["structured"] == {"name": "Ann", "age": 7}
    (call,) = found["toolLoop"]["calls"]
    assert {name: call["function"][name] for name in WEATHER_CALL} == WEATHER_CALL
    assert found["toolLoop"]["answer"] == "It is sunny in Paris"
    assert found["toolStream"]["thinking"] == "They want the weather."
    assert len(found["toolStream"]["calls"]) == 1
    assert len(found["embeddings"]) == 2
    assert [round(number, 5) for number in found["embeddings"][0]] == UNIT
    assert found["aborted"] == {"parts": 3, "error": "AbortError"}
    assert found["failure"] == {"status": 404, "message": "model 'absent' not found"}
    await until_no_job_is_left(redis)
    assert len(worker.cancelled) == 1


async def test_the_ai_sdk_finds_itself_at_home(url: str, worker: ScriptedWorker, redis: Redis) -> None:
    found = await javascript("ai_sdk.mjs", url, "able", "embedder")
    assert found["chat"] == found["streamed"] == "Hello there"
    assert found["structured"] == {"name": "Ann", "age": 7}
    assert found["toolLoop"]["calls"] == [{"toolName": "get_weather", "input": {"city": "Paris"}}]
    assert found["toolLoop"]["text"] == "It is sunny in Paris"
    assert [round(number, 5) for number in found["embeddings"][0]] == UNIT
    assert found["aborted"]["parts"] == 3
    await until_no_job_is_left(redis)
    assert len(worker.cancelled) == 1
