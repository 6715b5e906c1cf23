"""What a client sees while its request waits: signs of life in its own dialect, and its place in the queue."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import anthropic
import ollama
import openai
import pytest
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS
from fakes.polling import until
from fakes.worker import ScriptedWorker, Stage
from integration.gateway.setup import TINY, has_jobs, serving, settings, until_no_job_is_left
from shared.errors import ModelLoadFailed
from shared.generation import DoneReason
from shared.model_index import ModelIndex
from shared.settings import Secret

HEARTBEAT_S = 0.05
CHAT: dict[str, object] = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


class Late:
    """A play that speaks when it is told to."""

    def __init__(self) -> None:
        self.may_speak = asyncio.Event()
        self.fails = False

    async def __call__(self, stage: Stage) -> None:
        await self.may_speak.wait()
        await stage.start()
        if self.fails:
            await stage.fail(ModelLoadFailed("it does not fit"))
            return
        await stage.say("Hel", "lo")
        await stage.finish(DoneReason.STOP)


@pytest.fixture
def late() -> Late:
    return Late()


@pytest.fixture
async def url(redis: Redis, redis_url: str, late: Late) -> AsyncIterator[str]:
    """A gateway whose streams are seldom silent, and a worker that does not speak until it is told to."""
    await ModelIndex(redis).publish([TINY])
    # The watchdog must not take the silent worker for a lost one.
    patient = settings(redis_url, heartbeat_s=HEARTBEAT_S, started_wait_s=60.0)
    async with serving(patient) as url, ScriptedWorker(redis, redis_url, WEIGHTS, play=late).running():
        yield url


async def test_a_waiting_stream_of_lines_has_empty_chunks_and_never_a_blank_line(
    url: str, http: aiohttp.ClientSession, late: Late
) -> None:
    async with http.post(f"{url}/api/chat", json=CHAT) as response:
        waits = [json.loads(await response.content.readline()) for _ in range(3)]
        late.may_speak.set()
        rest = [json.loads(line) for line in (await response.text()).splitlines()]
    assert [(one["message"]["content"], one["done"]) for one in waits] == [("", False)] * 3
    assert "".join(one["message"]["content"] for one in rest) == "Hello"
    assert rest[-1]["done"] is True


async def test_a_waiting_stream_of_events_has_comments(url: str, http: aiohttp.ClientSession, late: Late) -> None:
    async with http.post(f"{url}/v1/chat/completions", json={**CHAT, "stream": True}) as response:
        assert [await response.content.readline() for _ in range(4)] == [b": waiting\n", b"\n"] * 2
        late.may_speak.set()
        assert (await response.text()).endswith("data: [DONE]\n\n")


async def test_anthropics_stream_begins_and_pings(url: str, http: aiohttp.ClientSession, late: Late) -> None:
    asked = {**CHAT, "stream": True, "max_tokens": 5}
    async with http.post(f"{url}/v1/messages", json=asked) as response:
        names = [line async for line in first_names(response, 3)]
        late.may_speak.set()
        await response.read()
    assert names == [b"event: message_start\n", b"event: ping\n", b"event: ping\n"]


async def first_names(response: aiohttp.ClientResponse, count: int) -> AsyncIterator[bytes]:
    while count:
        line = await response.content.readline()
        if line.startswith(b"event:"):
            count -= 1
            yield line


async def test_the_official_clients_do_not_notice_the_waiting(
    url: str, http: aiohttp.ClientSession, late: Late
) -> None:
    async def by_ollama() -> str:
        async with ollama.AsyncClient(host=url) as client:
            stream = await client.chat(model="tiny", messages=[{"role": "user", "content": "Hi"}], stream=True)
            return "".join([chunk.message.content or "" async for chunk in stream])

    async def by_openai() -> str:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="anything", max_retries=0) as client:
            stream = await client.chat.completions.create(
                model="tiny", messages=[{"role": "user", "content": "Hi"}], stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def by_anthropic() -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=url, api_key="anything", max_retries=0) as client,
            client.messages.stream(model="tiny", max_tokens=5, messages=[{"role": "user", "content": "Hi"}]) as stream,
        ):
            return "".join([text async for text in stream.text_stream])

    asking = [asyncio.create_task(ask()) for ask in (by_ollama, by_openai, by_anthropic)]
    async with http.post(f"{url}/api/chat", json=CHAT) as response:
        for _ in range(5):  # by then the others have had some signs of life, too
            await response.content.readline()
        late.may_speak.set()
        assert await asyncio.gather(*asking) == ["Hello"] * 3


async def test_an_error_before_the_first_sign_of_life_keeps_its_status(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, late: Late
) -> None:
    await ModelIndex(redis).publish([TINY])
    late.fails = True
    late.may_speak.set()
    async with (
        serving(settings(redis_url)) as url,
        ScriptedWorker(redis, redis_url, WEIGHTS, play=late).running(),
        http.post(f"{url}/api/chat", json=CHAT) as response,
    ):
        assert (response.status, await response.json()) == (500, {"error": "it does not fit"})


async def test_an_error_after_it_is_the_last_line(url: str, http: aiohttp.ClientSession, late: Late) -> None:
    async with http.post(f"{url}/api/chat", json=CHAT) as response:
        await response.content.readline()
        late.fails = True
        late.may_speak.set()
        lines = (await response.text()).splitlines()
    assert response.status == 200
    assert json.loads(lines[-1]) == {"error": "it does not fit"}


async def test_the_first_sign_of_life_tells_the_place_in_the_queue(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    await ModelIndex(redis).publish([TINY])
    async with serving(settings(redis_url, heartbeat_s=HEARTBEAT_S)) as url, aiohttp.ClientSession() as other:
        async with other.post(f"{url}/api/chat", json=CHAT) as first:
            assert first.headers["X-Corral-Queue-Position"] == "1"
            async with http.post(f"{url}/v1/chat/completions", json={**CHAT, "stream": True}) as second:
                assert second.headers["X-Corral-Queue-Position"] == "2"
        await until_no_job_is_left(redis)


async def test_the_first_sign_of_life_tells_how_far_the_model_is(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession
) -> None:
    await ModelIndex(redis).publish([TINY])
    loading = ScriptedWorker(redis, redis_url, WEIGHTS, play=Late(), load_expected_s=8.0)
    quick = settings(redis_url, heartbeat_s=HEARTBEAT_S)
    async with serving(quick) as url, http.post(f"{url}/api/chat", json=CHAT) as response:
        assert response.headers["X-Corral-Model-State"] == "absent"
    async with loading.running(), serving(quick) as url, http.post(f"{url}/api/chat", json=CHAT) as response:
        state, elapsed, expected = response.headers["X-Corral-Model-State"].split("; ")
        assert (state, expected) == ("loading", "expected_s=8.0")
        assert 0 <= float(elapsed.removeprefix("elapsed_s=")) < 60
        (waiting,) = await generations(http, url)
        assert (waiting["model_state"], waiting["load_expected_s"]) == ("loading", 8.0)
    await until_no_job_is_left(redis)


async def test_a_client_that_leaves_while_it_waits_ends_its_job(url: str, redis: Redis) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/chat", json=CHAT) as response:
        await response.content.readline()
        await until(lambda: has_jobs(redis), within_s=10)
    await until_no_job_is_left(redis)


async def test_a_user_sees_what_runs_and_what_waits_and_nobody_elses(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, late: Late
) -> None:
    await ModelIndex(redis).publish([TINY])
    locked = settings(redis_url, require_keys=True, admin_key=Secret("bootstrap-secret"), heartbeat_s=HEARTBEAT_S)
    admin, stranger = {"Authorization": "Bearer bootstrap-secret"}, {"name": "bob", "role": "user"}
    async with serving(locked) as url, aiohttp.ClientSession(headers=admin) as owner:
        async with owner.post(f"{url}/api/keys", json=stranger) as response:
            bob = {"Authorization": f"Bearer {(await response.json())['key']}"}
        async with (
            owner.post(f"{url}/api/chat", json=CHAT) as first,
            owner.post(f"{url}/api/chat", json=CHAT) as second,
        ):
            waiting = [
                {
                    "request_id": one.headers["X-Request-Id"],
                    "model": "tiny:latest",
                    "state": "waiting",
                    "position": place,
                    "model_state": "absent",
                }
                for place, one in enumerate((first, second), start=1)
            ]
            told = await generations(owner, url)
            waits = [one.pop("waiting_s") for one in told]
            assert told == waiting
            assert all(isinstance(seconds, float) and 0 < seconds < 60 for seconds in waits)
            assert await generations(http, url, headers=bob) == []
            async with ScriptedWorker(redis, redis_url, WEIGHTS, play=late).running() as worker:
                await worker.until(lambda: len(worker.requests) == 2)
                assert {job["state"] for job in await generations(owner, url)} == {"running"}
                late.may_speak.set()
                await asyncio.gather(first.read(), second.read())
                assert await generations(owner, url) == []


async def generations(
    session: aiohttp.ClientSession, url: str, *, headers: dict[str, str] | None = None
) -> list[dict[str, object]]:
    async with session.get(f"{url}/api/queue/me", headers=headers) as response:
        assert response.status == 200
        found: list[dict[str, object]] = (await response.json())["generations"]
        return found
