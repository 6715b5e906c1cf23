"""The connection to Redis, and the one cast its types need. Commands live with the owners of their keys."""

import socket
import sys
from collections.abc import Awaitable
from typing import Any, Final, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis

T = TypeVar("T")

CONNECTIONS_MAX = 64
CONNECT_TIMEOUT_S = 2.0
SILENT_S: Final = 10
"""How long another machine may not even acknowledge before its connection counts as lost."""
PROBES_COUNT: Final = 3


def connect(url: str) -> Redis:
    """A pooled client that gives bytes back; callers beyond the pool's size wait for a free connection.

    `rediss://` is TLS, its certificate checked by the machine's authorities or those of SSL_CERT_FILE. There is no
    socket timeout, because blocking reads wait as long as they are told to; a machine that vanished without a word is
    noticed by TCP itself.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS_MAX,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        health_check_interval=0,
        **_transport_options(url),
    )
    return Redis.from_pool(pool)


def _transport_options(url: str) -> dict[str, Any]:
    """Over TCP a silent peer becomes an error: idle connections are probed, and unanswered data is waited for so long.

    Source: tcp(7). Elsewhere than on Linux the system's own, slower rules hold.
    """
    if url.startswith("unix:"):
        return {}
    probing: dict[int, int] = {}
    if sys.platform == "linux":
        probing = {
            socket.TCP_KEEPIDLE: SILENT_S,
            socket.TCP_KEEPINTVL: SILENT_S // PROBES_COUNT,
            socket.TCP_KEEPCNT: PROBES_COUNT,
            socket.TCP_USER_TIMEOUT: SILENT_S * 1000,
        }
    options = {"socket_keepalive": True, "socket_keepalive_options": probing}
    return {**options, "ssl_check_hostname": True} if url.startswith("rediss:") else options


def pending(reply: Awaitable[T] | T) -> Awaitable[T]:
    """redis-py types its commands for synchronous and asynchronous clients at once; ours is asynchronous."""
    return cast("Awaitable[T]", reply)
