"""The model index on a real server."""

from redis.asyncio import Redis

from fakes.model_entries import model_entry
from shared import keys
from shared.digest import Digest
from shared.model_index import REPLACED_KEPT_S, ModelIndex
from shared.model_name import parse_model_name
from shared.redis_client import pending

OLD, NEW = Digest("sha256:" + "1" * 64), Digest("sha256:" + "2" * 64)
NAME = parse_model_name("tiny")


async def test_readers_see_the_models_of_the_last_publication_newest_first(redis: Redis) -> None:
    index = ModelIndex(redis)
    await index.publish([model_entry("tiny"), model_entry("gone")])
    await index.publish([model_entry("tiny"), model_entry("team/bot")])
    assert [entry.name.short for entry in await index.all()] == ["tiny:latest", "team/bot:latest"]
    assert await index.find(parse_model_name("TINY")) == model_entry("tiny")
    assert await index.find(parse_model_name("gone")) is None
    assert await index.published() == 2


async def test_replaced_weights_can_be_found_for_as_long_as_their_blobs_are_kept(redis: Redis) -> None:
    index = ModelIndex(redis)
    old, new = model_entry("tiny", weights=OLD), model_entry("tiny", weights=NEW)
    await index.publish([old])
    await index.publish([new])
    assert await index.find(NAME) == new
    assert await index.find_weights(NAME, NEW) == new
    assert await index.find_weights(NAME, OLD) == old
    assert REPLACED_KEPT_S - 60 < await redis.ttl(keys.replaced_model(OLD)) <= REPLACED_KEPT_S


async def test_weights_that_another_model_still_has_are_not_replaced(redis: Redis) -> None:
    index = ModelIndex(redis)
    await index.publish([model_entry("tiny", weights=OLD), model_entry("copy", weights=OLD)])
    await index.publish([model_entry("tiny", weights=NEW), model_entry("copy", weights=OLD)])
    assert await redis.exists(keys.replaced_model(OLD)) == 0
    assert await index.find_weights(NAME, OLD) == model_entry("copy", weights=OLD)
    assert await index.find_weights(NAME, Digest("sha256:" + "3" * 64)) is None


async def test_what_another_version_wrote_counts_as_absent_and_can_be_replaced(redis: Redis) -> None:
    index = ModelIndex(redis)
    await index.publish([model_entry("tiny"), model_entry("gone", weights=OLD)])
    foreign = "written by another version"
    await pending(redis.hset(keys.MODELS, parse_model_name("gone").folded, foreign))
    await redis.set(keys.replaced_model(OLD), foreign)
    assert await index.all() == [model_entry("tiny")]
    assert await index.find(parse_model_name("gone")) is None
    assert await index.find_weights(NAME, OLD) is None
    await index.publish([model_entry("tiny", weights=NEW)])
    assert await index.all() == [model_entry("tiny", weights=NEW)]
