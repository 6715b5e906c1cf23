"""Smoke generations through the real queue: whom they try, whom they leave alone, what is kept and shown of them."""

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from fakes.model_entries import WEIGHTS, model_entry
from fakes.polling import until
from fakes.worker import MODEL, ScriptedWorker, Stage, say
from integration.gateway.setup import EMBEDDER, EMBEDDING_WEIGHTS, TINY, has_jobs, serving, settings
from integration.gateway.smoker import smoker
from services.gateway.smoke import history
from services.gateway.smoke.history import Outcome, SmokeHistory, SmokeResult
from services.gateway.smoke.rounds import SMOKER, TOKENS_MAX
from shared import keys
from shared.errors import InternalError
from shared.generation import ChatPrompt, EmbedPrompt
from shared.generation_queue import GenerationQueue
from shared.model_index import ModelIndex
from shared.redis_client import pending


@pytest.fixture
async def index(redis: Redis) -> ModelIndex:
    """The index with two models."""
    index = ModelIndex(redis)
    await index.publish([TINY, EMBEDDER])
    return index


async def embed(stage: Stage) -> None:
    await stage.start()
    await stage.embed([1.0, 2.0])
    await stage.finish()


async def results(redis: Redis, model: str = MODEL) -> list[SmokeResult]:
    return (await SmokeHistory(redis).of([model]))[model]


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("corral_gateway_smokes_total", {"model": MODEL, "outcome": outcome}) or 0.0


def metric(name: str) -> float:
    return REGISTRY.get_sample_value(f"corral_gateway_{name}", {"model": MODEL}) or 0.0


async def test_a_smoke_is_a_short_chat_that_neither_loads_nor_keeps_the_model(
    redis: Redis, redis_url: str, index: ModelIndex
) -> None:
    before = {name: metric(name) for name in ("queue_wait_seconds_count", "time_to_first_token_seconds_count")}
    ok, seconds = counted("ok"), metric("smoke_seconds_count")
    async with smoker(redis) as smokes, ScriptedWorker(redis, redis_url, WEIGHTS, play=say("y", "es")).running() as one:
        await smokes.round()
    (request,) = one.requests
    assert isinstance(request.prompt, ChatPrompt)
    assert (request.options.num_predict, request.options.temperature) == (TOKENS_MAX, 0.0)
    assert request.options.stop == ("END",), "the model's own options hold"
    assert (request.is_smoke, request.keep_alive_s) == (True, None)
    assert (request.user, request.tenant) == (SMOKER.user, SMOKER.tenant)
    assert request.weight < 0.01
    assert await pending(redis.hgetall(keys.DEMAND)) == {}
    assert not await has_jobs(redis)
    (result,) = await results(redis)
    assert (result.outcome, result.tokens, result.worker_id) == (Outcome.OK, 2, one.worker_id)
    assert result.first_token_s is not None
    assert 0 < result.first_token_s <= result.total_s < 5
    assert {name: metric(name) for name in before} == before, "people's latencies are theirs alone"
    assert (counted("ok"), metric("smoke_seconds_count")) == (ok + 1, seconds + 1)


async def test_a_model_that_embeds_is_given_a_text_to_embed(redis: Redis, redis_url: str, index: ModelIndex) -> None:
    worker = ScriptedWorker(redis, redis_url, EMBEDDING_WEIGHTS, play=embed, model=EMBEDDER.name.full)
    async with smoker(redis) as smokes, worker.running():
        await smokes.round()
    assert isinstance(worker.requests[0].prompt, EmbedPrompt)
    (result,) = await results(redis, EMBEDDER.name.full)
    assert (result.outcome, result.tokens) == (Outcome.OK, 7)


async def test_a_model_that_no_worker_holds_is_not_tried(redis: Redis, redis_url: str, index: ModelIndex) -> None:
    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("yes"), resident=False)
    async with smoker(redis) as smokes, worker.running():
        await smokes.round()
    assert worker.requests == []
    assert await results(redis) == []


async def test_a_failure_is_kept_with_its_code_and_does_not_stop_the_round(
    redis: Redis, redis_url: str, index: ModelIndex
) -> None:
    async def fail(stage: Stage) -> None:
        await stage.start()
        await stage.fail(InternalError("it fell over"))

    failed = counted("failed")
    broken = ScriptedWorker(redis, redis_url, WEIGHTS, play=fail, worker_id="one")
    well = ScriptedWorker(
        redis, redis_url, EMBEDDING_WEIGHTS, play=embed, worker_id="two", model=EMBEDDER.name.full
    )  # fmt: skip
    async with smoker(redis) as smokes, broken.running(), well.running():
        await smokes.round()
    (result,) = await results(redis)
    assert (result.outcome, result.error_code, result.worker_id) == (Outcome.FAILED, "internal", "one")
    assert counted("failed") == failed + 1
    assert [one.outcome for one in await results(redis, EMBEDDER.name.full)] == [Outcome.OK]


async def test_a_worker_that_takes_nothing_although_it_has_free_slots_is_a_timeout(
    redis: Redis, redis_url: str, index: ModelIndex
) -> None:
    stuck = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("yes"), takes_jobs=False)
    async with smoker(redis, wait_s=0.1) as smokes, stuck.running():
        await smokes.round()
        assert not await has_jobs(redis), "what timed out does not stay in people's way"
    assert [one.outcome for one in await results(redis)] == [Outcome.TIMEOUT]


async def test_a_worker_that_never_ends_what_it_took_is_a_timeout_and_is_told_to_stop(
    redis: Redis, redis_url: str, index: ModelIndex
) -> None:
    async def begin(stage: Stage) -> None:
        await stage.start()
        await asyncio.Event().wait()

    hung = ScriptedWorker(redis, redis_url, WEIGHTS, play=begin)
    async with smoker(redis, wait_s=0.2) as smokes, hung.running():
        await smokes.round()
        await hung.until(lambda: hung.cancelled == [hung.requests[0].request_id])
    (result,) = await results(redis)
    assert (result.outcome, result.worker_id) == (Outcome.TIMEOUT, hung.worker_id)


async def test_a_smoke_that_waits_is_not_shown_among_people_s_waits(
    redis: Redis, redis_url: str, index: ModelIndex
) -> None:
    seen: set[float] = set()

    async def has_given_up() -> bool:
        seen.add(metric("oldest_wait_seconds"))
        return bool(await results(redis))

    stuck = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("yes"), takes_jobs=False)
    often_looking = settings(redis_url, smoke_interval_s=1, smoke_wait_s=0.5, watch_interval_s=0.02)
    async with stuck.running(), serving(often_looking):
        await until(has_given_up)
    assert seen == {0.0}


async def test_where_people_wait_a_smoke_is_left_out_and_that_is_no_failure(
    redis: Redis, redis_url: str, index: ModelIndex, http: aiohttp.ClientSession
) -> None:
    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("Hello"), takes_jobs=False)
    async with serving(settings(redis_url)) as url, smoker(redis) as smokes, worker.running():
        body = {"model": "tiny", "prompt": "Hi", "stream": False}
        asking = asyncio.create_task(http.post(f"{url}/api/generate", json=body))
        await until(lambda: is_waiting(redis))
        await smokes.round()
        assert await redis.zcard(keys.queue(WEIGHTS)) == 1
        asking.cancel()
        await asyncio.wait([asking])
    assert [one.outcome for one in await results(redis)] == [Outcome.SKIPPED]


async def is_waiting(redis: Redis) -> bool:
    return bool(await GenerationQueue(redis).length(WEIGHTS))


async def test_a_model_that_leaves_while_its_smoke_waits_is_not_loaded_again_and_has_no_result(
    redis: Redis, redis_url: str, index: ModelIndex
) -> None:
    leaving = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("yes"), takes_jobs=False)
    async with smoker(redis, wait_s=0.3) as smokes, leaving.running():
        trying = asyncio.create_task(smokes.round())
        await until(lambda: is_waiting(redis))
        assert await GenerationQueue(redis).demand() == {}
        await leaving.die()
        await trying
    assert await results(redis) == []


async def test_the_history_has_a_limit_and_goes_with_its_model(
    redis: Redis, redis_url: str, index: ModelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "HISTORY_MAX", 2)
    kept = SmokeHistory(redis)
    for tokens in (1, 2, 3):
        await kept.add(MODEL, SmokeResult(at_unix_ms=tokens, outcome=Outcome.OK, tokens=tokens))
    assert [one.tokens for one in await results(redis)] == [2, 3]
    async with smoker(redis) as smokes:
        await smokes.round()
        assert len(await results(redis)) == 2
        await index.publish([EMBEDDER])
        await smokes.round()
    assert await results(redis) == []
    assert await pending(redis.smembers(keys.SMOKED)) == set()


async def test_a_round_is_made_at_each_moment_of_the_clock_by_one_gateway_of_two(
    redis: Redis, redis_url: str, index: ModelIndex
) -> None:
    every_second = settings(redis_url, smoke_interval_s=1)
    worker = ScriptedWorker(redis, redis_url, WEIGHTS, play=say("yes"))

    async def each_moment_had_its_round() -> bool:
        return len(await redis.keys("arq:result:smokes:*")) == len(await results(redis))

    async with worker.running(), serving(every_second), serving(every_second):
        await worker.until(lambda: len(worker.requests) >= 3)
        await until(each_moment_had_its_round)


async def test_every_model_in_memory_is_tried_and_its_history_shown(
    redis: Redis, redis_url: str, index: ModelIndex, http: aiohttp.ClientSession
) -> None:
    async with serving(settings(redis_url)) as url:

        async def told(query: str = "") -> tuple[int, Any]:
            async with http.get(f"{url}/api/smoke{query}") as response:
                return response.status, await response.json()

        assert await told() == (200, {"models": []})
        async with smoker(redis) as smokes, ScriptedWorker(redis, redis_url, WEIGHTS, play=say("yes")).running():
            await smokes.round()
            await smokes.round()
        status, body = await told()
        assert status == 200
        (shown,) = body["models"]
        assert shown["model"] == "tiny:latest"
        first, second = shown["smokes"]
        assert first["at"] < second["at"]
        assert set(first) == {"at", "outcome", "first_token_s", "total_s", "tokens", "worker"}
        assert (first["outcome"], first["tokens"], first["worker"]) == ("ok", 1, "worker-1")
        assert await told("?model=TINY") == (200, body)
        assert await told("?model=embedder") == (200, {"models": [{"model": "embedder:latest", "smokes": []}]})
        assert await told("?model=nobody") == (404, {"error": "model 'nobody' not found"})


async def test_a_smoke_of_names_that_share_weights_is_kept_under_the_one_that_was_loaded(
    redis: Redis, redis_url: str, index: ModelIndex
) -> None:
    bot = msgspec.structs.replace(model_entry("bot"), weights=WEIGHTS)
    await index.publish([TINY, bot])
    async with smoker(redis) as smokes, ScriptedWorker(redis, redis_url, WEIGHTS, play=say("yes")).running():
        await smokes.round()
    assert [len(await results(redis, entry.name.full)) for entry in (TINY, bot)] == [1, 0]
