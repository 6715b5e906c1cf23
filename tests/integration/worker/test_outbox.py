"""The outbox on a real server whose connections break."""

from contextlib import aclosing
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from services.worker.outbox import EVENTS_MAX, Outbox
from shared import frames
from shared.frames import Frame
from shared.generation import Delta, Event, Piece, RequestId


def delta(text: str) -> Event:
    return Delta(request_id=RequestId("r"), attempt=1, piece=Piece(text), token_ids=(1,))


async def test_what_waits_for_a_gateway_leaves_as_one_numbered_frame(redis: Redis) -> None:
    outbox = Outbox(redis, "w")
    async with aclosing(frames.follow(redis, "g")) as followed:
        await anext(followed)
        outbox.put("g", [delta("a")])
        outbox.put("g", [delta("b")])
        await outbox.flush()
        outbox.put("g", [delta("c")])
        await outbox.flush()
        assert await anext(followed) == Frame("w", 1, [delta("a"), delta("b")])
        assert await anext(followed) == Frame("w", 2, [delta("c")])


class LosesOneReply(Redis):
    """A client whose connection breaks between the first command and its reply."""

    lost = False

    async def publish(self, channel: Any, message: Any, **kwargs: Any) -> Any:
        reply = await super().publish(channel, message, **kwargs)
        if not self.lost:
            self.lost = True
            raise RedisConnectionError("the reply was lost")
        return reply


async def test_a_frame_whose_reply_was_lost_is_told_again_as_it_was(redis: Redis, redis_url: str) -> None:
    breaking = LosesOneReply.from_url(redis_url)
    outbox = Outbox(breaking, "w")
    async with aclosing(frames.follow(redis, "g")) as followed:
        await anext(followed)
        outbox.put("g", [delta("a")])
        with pytest.raises(RedisConnectionError):
            await outbox.flush()
        outbox.put("g", [delta("b")])
        await outbox.flush()
        first = Frame("w", 1, [delta("a")])
        assert [await anext(followed), await anext(followed)] == [first, first]
        assert await anext(followed) == Frame("w", 2, [delta("b")])
    await breaking.aclose()


async def test_dropped_events_leave_a_gap_in_the_numbers(redis: Redis) -> None:
    outbox = Outbox(redis, "w")
    async with aclosing(frames.follow(redis, "g")) as followed:
        await anext(followed)
        outbox.put("g", [delta("a")])
        await outbox.flush()
        outbox.put("g", [delta("b")] * (EVENTS_MAX + 1))
        outbox.put("g", [delta("c")])
        await outbox.flush()
        assert await anext(followed) == Frame("w", 1, [delta("a")])
        assert await anext(followed) == Frame("w", 3, [delta("c")])
