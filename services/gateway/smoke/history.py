"""What came of the smokes of each model, the last HISTORY_MAX of them, in Redis."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.redis_client import pending

HISTORY_MAX: Final = 288
"""A day, where one is made every five minutes."""

KEPT_S: Final = 7 * 86_400
"""How long the history of a model is kept that is not in memory any more."""


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"  # people had the model


class SmokeResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One smoke. `tokens` were generated or, by a model that embeds, read; `error_code` is that of a failed one.

    `worker_id` is whoever took it; `first_token_s` and `total_s` run from its submission.
    """

    at_unix_ms: int
    outcome: Outcome
    first_token_s: float | None = None
    total_s: float = 0.0
    tokens: int = 0
    worker_id: str = ""
    error_code: str = ""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(SmokeResult)


class SmokeHistory:
    """By the full names of models. Raises: RedisError, OSError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, model: str, result: SmokeResult) -> None:
        key = keys.smokes(model)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, _ENCODER.encode(result))
            pipe.ltrim(key, -HISTORY_MAX, -1)
            pipe.expire(key, KEPT_S)
            pipe.sadd(keys.SMOKED, model)
            await pipe.execute()

    async def of(self, models: Sequence[str]) -> dict[str, list[SmokeResult]]:
        """The results of each, the oldest first; empty for one that was never tried."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for model in models:
                pipe.lrange(keys.smokes(model), 0, -1)
            found: list[list[bytes]] = await pipe.execute()
        return {model: [_DECODER.decode(one) for one in told] for model, told in zip(models, found, strict=True)}

    async def forget_all_but(self, models: Collection[str]) -> None:
        """The history of a model goes with the model, whoever deleted it."""
        known = {name.decode() for name in await pending(self._redis.smembers(keys.SMOKED))}
        gone = sorted(known.difference(models))
        if gone:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(*map(keys.smokes, gone))
                pipe.srem(keys.SMOKED, *gone)
                await pipe.execute()
