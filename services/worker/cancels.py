"""Listens for cancellations that gateways address to this worker."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared import keys
from shared.generation import RequestId

log = structlog.get_logger("corral.worker")

BLOCK_MS: Final = 1000
RETRY_S: Final = 0.5


class CancelReader:
    """Follows the worker's cancel stream and calls `on_cancel` with each request and attempt in it."""

    def __init__(self, redis: Redis, worker_id: str, on_cancel: Callable[[RequestId, int], None]) -> None:
        self._redis = redis
        self._key = keys.cancels(worker_id)
        self._on_cancel = on_cancel
        self._position: bytes | str = "0-0"

    async def run(self) -> None:
        while True:
            try:
                await self._read()
            except (RedisError, OSError) as cause:
                log.warning("cancels_interrupted", cause=str(cause))
                await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        reply: Any = await self._redis.xread({self._key: self._position}, block=BLOCK_MS)
        for _, entries in reply or ():
            for entry_id, fields in entries:
                self._position = entry_id
                self._on_cancel(RequestId(fields[b"request"].decode()), int(fields[b"attempt"]))
