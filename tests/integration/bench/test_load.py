"""The load generator against a real HTTP server whose answers and timing are known."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench import load


class Model:
    """Speaks as much of both APIs as the load generator reads; answers end once `users_wanted` are open at a time."""

    def __init__(self) -> None:
        self.users_wanted = 1
        self._all_here = asyncio.Event()
        self.open = 0
        self.most_open = 0
        self.error: str | None = None

    async def openai(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        assert body["stream_options"] == {"include_usage": True}
        response = await self._begin(request)
        for delta in ({"role": "assistant", "content": ""}, {"content": "one"}):
            await self._event(response, {"choices": [{"delta": delta}]})
        await self._all_here.wait()
        if self.error:
            await self._event(response, {"error": {"message": self.error}})
            return response
        await self._event(response, {"choices": [{"delta": {"content": "two"}}]})
        await self._event(response, {"choices": [], "usage": {"completion_tokens": 7}})
        await response.write(b"data: [DONE]\n\n")
        self.open -= 1
        return response

    async def ollama(self, request: web.Request) -> web.StreamResponse:
        response = await self._begin(request)
        await response.write(json.dumps({"message": {"content": "a"}, "done": False}).encode() + b"\n")
        last = {"message": {"content": ""}, "done": True, "prompt_eval_duration": 2_000_000}
        await response.write(json.dumps(last).encode() + b"\n")
        return response

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        if self.open == self.users_wanted:
            self._all_here.set()
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    async def _event(self, response: web.StreamResponse, event: object) -> None:
        await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def url(model: Model) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", model.openai)
    app.router.add_post("/api/chat", model.ollama)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


async def test_an_answer_counts_the_servers_tokens_and_the_gaps_between_texts(
    session: aiohttp.ClientSession, url: str, model: Model
) -> None:
    found = await load.answer(session, url, "m", "why?", tokens_max=8)
    assert found.tokens == 7
    assert len(found.gaps_s) == 1
    assert found.ttft_s > 0


async def test_users_ask_at_once_and_each_users_questions_come_one_by_one(
    session: aiohttp.ClientSession, url: str, model: Model
) -> None:
    model.users_wanted = 3
    found, wall_s = await load.answers(session, url, "m", [["a", "b"], ["c", "d"], ["e", "f"]], tokens_max=8)
    assert len(found) == 6
    assert wall_s > 0
    assert model.most_open == 3


async def test_an_error_inside_a_stream_spoils_the_measurement_aloud(
    session: aiohttp.ClientSession, url: str, model: Model
) -> None:
    model.error = "out of memory"
    with pytest.raises(load.AnswerFailed, match="out of memory"):
        await load.answer(session, url, "m", "why?", tokens_max=8)


async def test_a_refusal_spoils_the_measurement_aloud(session: aiohttp.ClientSession, url: str) -> None:
    with pytest.raises(load.AnswerFailed, match="status 404"):
        await load.answer(session, url + "/nowhere", "m", "why?", tokens_max=8)


async def test_added_latency_reads_the_engines_own_time(session: aiohttp.ClientSession, url: str) -> None:
    found = await load.added_latency(session, url, "m", "why?")
    assert found.engine_s == 0.002
    assert found.client_s > 0
