"""The connection to Redis, and the one cast its types need. Commands live with the owners of their keys."""

from collections.abc import Awaitable
from typing import TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis

T = TypeVar("T")

CONNECTIONS_MAX = 64
CONNECT_TIMEOUT_S = 2.0


def connect(url: str) -> Redis:
    """A pooled client that gives bytes back; callers beyond the pool's size wait for a free connection.

    There is no socket timeout, because blocking reads wait as long as they are told to.
    """
    pool = BlockingConnectionPool.from_url(
        url, max_connections=CONNECTIONS_MAX, socket_connect_timeout=CONNECT_TIMEOUT_S, health_check_interval=0
    )
    return Redis.from_pool(pool)


def pending(reply: Awaitable[T] | T) -> Awaitable[T]:
    """redis-py types its commands for synchronous and asynchronous clients at once; ours is asynchronous."""
    return cast("Awaitable[T]", reply)
