"""A served gateway whose two models have manners, for clients of every kind."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from fakes.manners import manners
from fakes.model_entries import WEIGHTS, model_entry
from fakes.worker import ScriptedWorker
from integration.gateway.setup import EMBEDDER, EMBEDDING_WEIGHTS, serving, settings
from shared.model_index import ModelIndex

ABLE = model_entry("able", capabilities=("completion", "tools", "thinking"))


@pytest.fixture
async def worker(redis: Redis, redis_url: str) -> AsyncIterator[ScriptedWorker]:
    """The worker of the chat model; that of the other one runs beside it."""
    async with contextlib.AsyncExitStack() as stack:
        chat = ScriptedWorker(redis, redis_url, WEIGHTS, play=manners)
        embedding = ScriptedWorker(redis, redis_url, EMBEDDING_WEIGHTS, play=manners, worker_id="worker-2")
        await stack.enter_async_context(chat.running())
        await stack.enter_async_context(embedding.running())
        yield chat


@pytest.fixture
async def url(redis: Redis, redis_url: str, worker: ScriptedWorker) -> AsyncIterator[str]:
    await ModelIndex(redis).publish([ABLE, EMBEDDER])
    async with serving(settings(redis_url)) as url:
        yield url
