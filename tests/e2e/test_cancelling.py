"""A hundred streams that are left at random moments leave nothing behind: no slot, no job, no memory."""

import asyncio
import random
from typing import Final

import aiohttp
import pytest
from redis.asyncio import Redis

from harness.cluster import MODEL, Cluster, wait_for_slots

STREAMS_COUNT: Final = 100
AT_ONCE_COUNT: Final = 25
LEFT_COUNT_MIN: Final = 90  # a few answers may be short
LONGEST_WAIT_S: Final = 0.8
GROWTH_BYTES_MAX: Final = 16 << 20
"""For all processes of the cluster together; what a hundred forgotten streams held would be more."""

MESSAGES: Final = [{"role": "user", "content": "Tell me a very long story."}]
REQUESTS: Final = (
    ("/api/chat", {"model": MODEL, "messages": MESSAGES}),
    ("/api/generate", {"model": MODEL, "prompt": "Tell me a very long story."}),
    ("/v1/chat/completions", {"model": MODEL, "messages": MESSAGES, "stream": True, "n": 2}),
    ("/v1/messages", {"model": MODEL, "messages": MESSAGES, "stream": True, "max_tokens": 2000}),
    ("/api/chat", {"model": MODEL, "messages": MESSAGES, "stream": False}),
)


async def leave_early(session: aiohttp.ClientSession, url: str, number: int, patience_s: float) -> bool:
    """Whether the client left before the answer was over."""
    path, body = REQUESTS[number % len(REQUESTS)]
    try:
        async with asyncio.timeout(patience_s), session.post(url + path, json=body) as response:
            assert response.status == 200
            async for _ in response.content:
                pass
    except TimeoutError:
        return True
    return False


async def leave_a_hundred(url: str, seed: int) -> None:
    moments = random.Random(seed)
    left_count = 0
    waits = [moments.uniform(0, LONGEST_WAIT_S) for _ in range(STREAMS_COUNT)]
    async with aiohttp.ClientSession() as session:
        for begin in range(0, STREAMS_COUNT, AT_ONCE_COUNT):
            numbers = range(begin, begin + AT_ONCE_COUNT)
            left_count += sum(
                await asyncio.gather(*(leave_early(session, url, number, waits[number]) for number in numbers))
            )
    assert left_count >= LEFT_COUNT_MIN


def memory_bytes(cluster: Cluster) -> int:
    """What the cluster's own processes hold, without the model's: its KV memory is touched as it is used."""
    runners = set(cluster.processes("services.worker.runner"))
    return sum(process.memory_full_info().uss for process in set(cluster.processes()) - runners)


@pytest.mark.parametrize("seed", [20261122])
async def test_a_hundred_streams_left_at_random_moments_leave_nothing_behind(cluster: Cluster, seed: int) -> None:
    # The first hundred bring every buffer and cache to its size.
    await leave_a_hundred(cluster.url, seed)
    wait_for_slots(cluster, 0)
    before_bytes = memory_bytes(cluster)
    await leave_a_hundred(cluster.url, seed + 1)
    wait_for_slots(cluster, 0)
    async with Redis.from_url(cluster.redis_url) as redis:
        left = [key for pattern in ("job:*", "queue:*", "jobs:*") async for key in redis.scan_iter(pattern)]
    assert not left
    assert memory_bytes(cluster) - before_bytes < GROWTH_BYTES_MAX
