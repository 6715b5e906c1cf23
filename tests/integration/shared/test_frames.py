"""Frames on a real server."""

import asyncio
from contextlib import aclosing

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared import frames
from shared.errors import RunnerDied
from shared.frames import Frame
from shared.generation import Delta, DoneReason, Event, Failed, Finished, Piece, RequestId, Started, Usage

REQUEST = RequestId("r1")
EVENTS: list[Event] = [
    Started(request_id=REQUEST, attempt=1, worker_id="w"),
    Delta(request_id=REQUEST, attempt=1, piece=Piece("näh 🐎"), token_ids=(1, 2)),
    Finished(request_id=REQUEST, attempt=1, reason=DoneReason.STOP, usage=Usage(prompt_tokens=3), context=(1, 2)),
    Failed(request_id=REQUEST, attempt=2, error=RunnerDied("gone").info()),
]


async def test_frames_arrive_whole_and_in_order_from_the_first_yield_on(redis: Redis) -> None:
    await frames.publish(redis, "g1", Frame("w", 1, EVENTS[:1]))
    async with aclosing(frames.follow(redis, "g1")) as followed:
        assert await anext(followed) is None
        await frames.publish(redis, "g1", Frame("w", 2, EVENTS[:2]))
        await frames.publish(redis, "g2", Frame("w", 1, EVENTS))
        await frames.publish(redis, "g1", Frame("w", 3, EVENTS[2:]))
        assert await anext(followed) == Frame("w", 2, EVENTS[:2])
        assert await anext(followed) == Frame("w", 3, EVENTS[2:])


async def test_silence_brings_signs_of_life(redis: Redis) -> None:
    async with aclosing(frames.follow(redis, "g1")) as followed:
        async with asyncio.timeout(frames.QUIET_S * 3):
            assert [await anext(followed), await anext(followed)] == [None, None]


async def test_a_lost_connection_is_an_error(redis: Redis) -> None:
    async with aclosing(frames.follow(redis, "g1")) as followed:
        assert await anext(followed) is None
        await redis.client_kill_filter(_type="pubsub")
        with pytest.raises((RedisError, OSError)):
            await anext(followed)
