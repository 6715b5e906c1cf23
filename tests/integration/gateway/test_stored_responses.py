"""Keeping responses in Redis, and what happens when they cannot be kept."""

import pytest
from redis.asyncio import Redis

from fakes.polling import until
from services.gateway.dialects.responses_items import Item, read_input
from services.gateway.stored_responses import TURNS_MAX, Past, StoredResponse, StoredResponses
from shared import redis_client
from shared.errors import ParameterInvalid, ResponseUnknown, TooLarge, Unavailable
from shared.redis_client import pending


def stored(
    redis: Redis, *, bytes_max: int = 1000, user_bytes_max: int = 100_000_000, read_bytes_max: int = 1_000_000
) -> StoredResponses:
    return StoredResponses(
        redis,
        kept_s=60,
        bytes_max=bytes_max,
        user_bytes_max=user_bytes_max,
        read_bytes_max=read_bytes_max,
        redis_wait_s=1,
    )


async def until_time_has_passed(redis: Redis) -> None:
    """Redis's own clock shows another millisecond, so that what comes now was used later."""
    began_s, began_us = await redis.time()

    async def has_passed() -> bool:
        now_s, now_us = await redis.time()
        return bool((now_s, now_us - 1000) > (began_s, began_us))

    await until(has_passed, within_s=5)


def items(text: str) -> tuple[Item, ...]:
    return read_input(text)


def response(text: str, *earlier: str) -> StoredResponse:
    return StoredResponse(body=text.encode(), input=items(text), output=items(text.upper()), earlier=earlier)


async def test_a_conversation_is_read_from_its_beginning(redis: Redis) -> None:
    responses = stored(redis)
    assert await responses.keep("me", "1", response("a"))
    assert await responses.keep("me", "2", response("b", "1"))
    assert await responses.keep("me", "3", response("c", "1", "2"))
    said = (*items("a"), *items("A"), *items("b"), *items("B"), *items("c"), *items("C"))
    assert await responses.past("me", "3") == Past(items=said, response_ids=("1", "2", "3"))
    assert await responses.past("me", "1") == Past(items=said[:2], response_ids=("1",))


async def test_what_is_kept_is_the_users_own(redis: Redis) -> None:
    responses = stored(redis)
    await responses.keep("me", "1", response("a"))
    assert await responses.find("me", "1") == response("a")
    assert await responses.some("me", ["1", "2"]) == [response("a")]
    assert await responses.some("other", ["1"]) == []
    for attempt in (responses.find("other", "1"), responses.past("other", "1"), responses.delete("other", "1")):
        with pytest.raises(ResponseUnknown):
            await attempt


async def test_the_size_of_what_is_kept_has_a_limit(redis: Redis) -> None:
    size_bytes = 0
    assert await stored(redis).keep("me", "1", response("a" * 100))
    for body in [await redis.get("response:me:1")]:
        size_bytes = len(body)
    assert await stored(redis, bytes_max=size_bytes).keep("me", "2", response("a" * 100))
    assert not await stored(redis, bytes_max=size_bytes - 1).keep("me", "3", response("a" * 100))
    assert await redis.exists("response:me:3") == 0


async def kept_bytes(redis: Redis, user: str) -> int:
    return sum([await redis.strlen(name) for name in await redis.keys(f"response:{user}:*")])


async def test_what_a_user_has_not_used_for_longest_makes_room(redis: Redis) -> None:
    roomy = stored(redis)
    await roomy.keep("me", "1", response("a"))
    await roomy.keep("other", "1", response("a"))
    size_bytes = await kept_bytes(redis, "me")
    responses = stored(redis, user_bytes_max=4 * size_bytes)
    await until_time_has_passed(redis)
    await responses.keep("me", "2", response("b"))
    await until_time_has_passed(redis)
    await responses.keep("me", "3", response("c", "1"))
    await until_time_has_passed(redis)
    await responses.keep("me", "4", response("d"))
    assert await kept_bytes(redis, "me") <= 4 * size_bytes
    assert sorted(await redis.keys("response:me:*")) == [b"response:me:1", b"response:me:3", b"response:me:4"]
    assert await roomy.find("other", "1")


async def test_what_was_deleted_leaves_its_room_to_others(redis: Redis) -> None:
    await stored(redis).keep("me", "1", response("a"))
    responses = stored(redis, user_bytes_max=2 * await kept_bytes(redis, "me"))
    await responses.keep("me", "2", response("b"))
    await responses.delete("me", "1")
    await responses.keep("me", "3", response("c"))
    assert await responses.find("me", "2")
    assert int(await pending(redis.hget("response_sizes:me", "total")) or 0) == await kept_bytes(redis, "me")


async def test_no_more_is_read_at_once_than_the_limit_says(redis: Redis) -> None:
    responses = stored(redis)
    await responses.keep("me", "1", response("a" * 100))
    await responses.keep("me", "2", response("b" * 100))
    await responses.keep("me", "3", response("c", "1", "2"))
    size_bytes = await redis.strlen("response:me:1") + await redis.strlen("response:me:2")
    exact = stored(redis, read_bytes_max=size_bytes)
    assert len(await exact.some("me", ["1", "2"])) == 2
    assert len((await exact.past("me", "3")).items) == 6
    tight = stored(redis, read_bytes_max=size_bytes - 1)
    assert await tight.find("me", "3")
    for attempt in (tight.some("me", ["1", "2"]), tight.past("me", "3")):
        with pytest.raises(TooLarge, match=f"have {size_bytes} bytes; at most {size_bytes - 1}"):
            await attempt


async def test_a_conversation_has_a_longest_length(redis: Redis) -> None:
    responses = stored(redis, bytes_max=100_000)
    earlier = [str(number) for number in range(TURNS_MAX - 1)]
    for response_id in earlier:
        await responses.keep("me", response_id, response("a"))
    await responses.keep("me", "last but one", response("b", *earlier[:-1]))
    assert len((await responses.past("me", "last but one")).response_ids) == TURNS_MAX - 1
    await responses.keep("me", "last", response("b", *earlier))
    with pytest.raises(ParameterInvalid, match=f"at most {TURNS_MAX} responses"):
        await responses.past("me", "last")


async def test_without_redis_nothing_is_kept_and_nothing_found() -> None:
    redis = redis_client.connect("redis://127.0.0.1:1/0")
    responses = stored(redis)
    assert not await responses.keep("me", "1", response("a"))
    for attempt in (responses.find("me", "1"), responses.past("me", "1"), responses.delete("me", "1")):
        with pytest.raises(Unavailable):
            await attempt
    await redis.aclose()
