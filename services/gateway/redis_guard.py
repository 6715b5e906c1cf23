"""The one place where the loss of Redis becomes an error a client understands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from services.gateway.admission import redis_unavailable


@asynccontextmanager
async def redis_guard(wait_s: float) -> AsyncIterator[None]:
    """Bound the commands inside by `wait_s`.

    Raises: Unavailable when Redis cannot be reached or does not answer in time.
    """
    try:
        async with asyncio.timeout(wait_s):
            yield
    except (RedisError, OSError, TimeoutError) as cause:
        raise redis_unavailable() from cause
