"""Heartbeats: a member announces itself with a payload; whoever stops is gone when the lease ends. Not scheduling."""

from typing import Any, Final, Generic, TypeVar

import msgspec
from redis.asyncio import Redis

from shared import keys
from shared.redis_client import pending

HEARTBEAT_S: Final = 1.0
LEASE_S: Final = 3.0

T = TypeVar("T")


class Announcement(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What a member last said of itself, how long ago, and when by the clock of Redis."""

    payload: T
    age_ms: int
    redis_unix_ms: int


class Roster(Generic[T]):
    """The live members of one kind ("worker", "gateway") and what each last said of itself."""

    def __init__(self, redis: Redis, kind: str, payload: type[T]) -> None:
        self._redis = redis
        self._kind = kind
        self._decoder = msgspec.msgpack.Decoder(payload)
        self._encoder = msgspec.msgpack.Encoder()

    async def announce(self, member: str, payload: T) -> None:
        """Renew the lease; wanted every HEARTBEAT_S and at every change worth knowing at once."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(keys.lease(self._kind, member), self._encoder.encode(payload), px=int(LEASE_S * 1000))
            pipe.sadd(keys.roster(self._kind), member)
            await pipe.execute()

    async def withdraw(self, member: str) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.delete(keys.lease(self._kind, member))
            pipe.srem(keys.roster(self._kind), member)
            await pipe.execute()

    async def members(self) -> dict[str, T]:
        """Payloads of all members whose lease has not ended; ended ones are struck off."""
        names = sorted(name.decode() for name in await pending(self._redis.smembers(keys.roster(self._kind))))
        if not names:
            return {}
        payloads = await self._redis.mget([keys.lease(self._kind, name) for name in names])
        gone = [name for name, payload in zip(names, payloads, strict=True) if payload is None]
        if gone:
            await pending(self._redis.srem(keys.roster(self._kind), *gone))
        return {
            name: self._decoder.decode(payload)
            for name, payload in zip(names, payloads, strict=True)
            if payload is not None
        }

    async def announcements(self) -> dict[str, Announcement[T]]:
        """The live members, with the moment each last renewed its lease."""
        names = sorted(name.decode() for name in await pending(self._redis.smembers(keys.roster(self._kind))))
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.time()
            for name in names:
                pipe.get(keys.lease(self._kind, name))
                pipe.pttl(keys.lease(self._kind, name))
            (seconds, microseconds), *told = await pipe.execute()
        now_unix_ms = seconds * 1000 + microseconds // 1000
        return {
            name: self._announcement(payload, left_ms, now_unix_ms)
            for name, payload, left_ms in zip(names, told[::2], told[1::2], strict=True)
            if payload is not None
        }

    def _announcement(self, payload: Any, left_ms: int, now_unix_ms: int) -> Announcement[T]:
        age_ms = max(0, int(LEASE_S * 1000) - left_ms)
        return Announcement(payload=self._decoder.decode(payload), age_ms=age_ms, redis_unix_ms=now_unix_ms - age_ms)
