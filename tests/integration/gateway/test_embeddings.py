"""Embeddings through a served gateway, with a worker that answers as a script says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis

from fakes.worker import Play, ScriptedWorker, Stage
from integration.gateway.setup import (
    EMBEDDER,
    EMBEDDING_WEIGHTS,
    TINY,
    serving,
    settings,
    until_no_job_is_left,
)
from services.gateway.handlers.notices import TRUNCATED_HEADER
from shared.errors import InputTooLong, RunnerDied
from shared.generation import EmbedPrompt, LoadOnly
from shared.model_index import ModelIndex

ROUTES = ("/api/embed", "/api/embeddings", "/v1/embeddings")


def vectors(*parts: Sequence[Sequence[float]], truncated_count: int = 0) -> Play:
    """The play that answers with vectors, a frame for each part."""

    async def play(stage: Stage) -> None:
        await stage.start()
        for part in parts:
            await stage.embed(*part, truncated_count=truncated_count)
        await stage.finish()

    return play


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    made = ScriptedWorker(
        redis, redis_url, EMBEDDING_WEIGHTS, play=vectors([[3, 4]]), model=EMBEDDER.name.full
    )  # fmt: skip
    async with made.running() as running:
        yield running


class Client:
    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def post(self, route: str, **fields: Any) -> tuple[int, Any]:
        async with self._http.post(self._url + route, json={"model": "embedder", **fields}) as response:
            return response.status, await response.json()

    async def header(self, route: str, name: str, **fields: Any) -> str | None:
        async with self._http.post(self._url + route, json={"model": "embedder", **fields}) as response:
            return response.headers.get(name)


@pytest.fixture
def client(http: aiohttp.ClientSession, gateway_url: str) -> Client:
    return Client(http, gateway_url)


async def test_a_worker_gets_the_inputs_and_all_three_routes_give_its_vectors(
    client: Client, worker: ScriptedWorker
) -> None:
    status, body = await client.post("/api/embed", input="a", truncate=False, options={"num_ctx": 9}, keep_alive=7)
    assert (status, body["model"], body["embeddings"], body["prompt_eval_count"]) == (200, "embedder", [[0.6, 0.8]], 7)
    assert body["total_duration"] > 0
    assert await client.post("/api/embeddings", prompt="b") == (200, {"embedding": [3, 4]})
    status, body = await client.post("/v1/embeddings", input=[[5, 6]])
    assert (status, body["data"][0]["embedding"], body["usage"]["prompt_tokens"]) == (200, [0.6, 0.8], 7)
    first, second, third = worker.requests
    assert [request.prompt for request in worker.requests] == [
        EmbedPrompt(inputs=("a",)),
        EmbedPrompt(inputs=("b",)),
        EmbedPrompt(inputs=((5, 6),)),
    ]
    assert (first.truncate, first.options.num_ctx, first.keep_alive_s) == (False, 9, 7.0)
    assert (second.truncate, third.truncate, third.keep_alive_s) == (True, True, None)


async def test_vectors_that_come_in_parts_keep_their_order(client: Client, worker: ScriptedWorker) -> None:
    parts = [[[float(number + 1), 0.0], [0.0, float(number + 1)]] for number in range(20)]
    worker.play = vectors(*parts)
    _, body = await client.post("/api/embed", input=["x"] * 40)
    assert body["embeddings"] == [[1, 0], [0, 1]] * 20


async def test_another_attempt_begins_anew(client: Client, worker: ScriptedWorker) -> None:
    async def lost_at_first(stage: Stage) -> None:
        if stage.request.attempt == 1:
            await stage.start()
            await stage.embed([9, 9], truncated_count=1)
            await stage.fail(RunnerDied("gone"))
        else:
            await vectors([[1, 0]], [[0, 1]])(stage)

    worker.play = lost_at_first
    status, body = await client.post("/api/embed", input=["x", "y"])
    assert (status, body["embeddings"]) == (200, [[1, 0], [0, 1]])
    assert "truncated_inputs_count" not in body


async def test_truncation_is_told_in_the_reply_and_in_a_header(client: Client, worker: ScriptedWorker) -> None:
    worker.play = vectors([[1, 0]], [[0, 1]], truncated_count=1)
    _, body = await client.post("/api/embed", input=["x", "y"])
    assert body["truncated_inputs_count"] == 2
    assert await client.header("/v1/embeddings", TRUNCATED_HEADER, input=["x", "y"]) == "inputs=2"


async def test_an_input_too_long_and_a_vector_of_no_numbers_are_bad_requests(
    client: Client, worker: ScriptedWorker
) -> None:
    async def refuses(stage: Stage) -> None:
        await stage.start()
        await stage.fail(InputTooLong())

    worker.play = refuses
    text = "the input length exceeds the context length"
    assert await client.post("/api/embed", input="x", truncate=False) == (400, {"error": text})
    _, body = await client.post("/v1/embeddings", input="x")
    assert body["error"] == {"message": text, "type": "invalid_request_error", "param": None, "code": None}
    worker.play = vectors([[float("nan")]])
    assert await client.post("/api/embed", input="x") == (400, {"error": "embedding contains NaN or Inf values"})


@pytest.mark.parametrize(
    ("route", "status", "text"),
    [
        ("/api/embed", 404, "model '' not found"),
        ("/api/embeddings", 400, "model is required"),
        ("/v1/embeddings", 404, "model '' not found"),
    ],
)
async def test_an_empty_model_is_refused_in_each_routes_words(
    client: Client, route: str, status: int, text: str
) -> None:
    answered, body = await client.post(route, model="", input="x", prompt="x")
    assert (answered, body["error"] if route.startswith("/api") else body["error"]["message"]) == (status, text)


@pytest.mark.parametrize("route", ROUTES)
async def test_an_unknown_model_and_one_that_writes_text_are_refused(client: Client, route: str) -> None:
    for model, status, text in (
        ("Nobody", 404, 'model "Nobody" not found, try pulling it first'),
        ("tiny", 400, '"tiny" does not support embeddings'),
        ("a b", 400, "invalid model name"),
    ):
        answered, body = await client.post(route, model=model, input="x", prompt="x")
        assert (answered, body["error"] if route.startswith("/api") else body["error"]["message"]) == (status, text)


async def test_no_input_loads_and_with_a_zero_keep_alive_unloads(client: Client, worker: ScriptedWorker) -> None:
    assert await client.post("/api/embed", input=[]) == (200, {"model": "embedder", "embeddings": []})
    assert await client.post("/api/embeddings", keep_alive="1h") == (200, {"embedding": []})
    assert [request.prompt for request in worker.requests] == [LoadOnly(), LoadOnly()]
    assert worker.requests[1].keep_alive_s == 3600
    assert await client.post("/api/embed", keep_alive=0) == (200, {"model": "embedder", "embeddings": []})
    assert not worker.is_resident


async def test_no_more_inputs_than_the_limit_are_taken(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, worker: ScriptedWorker
) -> None:
    worker.play = vectors([[1, 0], [0, 1]])
    await ModelIndex(redis).publish([TINY, EMBEDDER])
    async with serving(settings(redis_url, embed_inputs_max=2)) as url:
        client = Client(http, url)
        assert (await client.post("/api/embed", input=["x", "y"]))[0] == 200
        answered = await client.post("/api/embed", input=["x", "y", "z"])
    assert answered == (400, {"error": "3 inputs are more than the 2 accepted at once"})


async def test_a_client_that_leaves_ends_its_work(client: Client, redis: Redis, worker: ScriptedWorker) -> None:
    async def never_ends(stage: Stage) -> None:
        await stage.start()
        await stage.embed([1, 0])
        await asyncio.Event().wait()

    worker.play = never_ends
    asking = asyncio.create_task(client.post("/api/embed", input=["x", "y"]))
    await worker.until(lambda: bool(worker.requests))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await worker.until(lambda: bool(worker.cancelled))
    assert worker.cancelled == [worker.requests[0].request_id]
    await until_no_job_is_left(redis)
