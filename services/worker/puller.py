"""Takes generations for one resident model whenever it has a free slot. What they do then is `generations.py`'s."""

import asyncio
import contextlib
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.worker.generations import Generations
from services.worker.residency.manager import Residency
from services.worker.residency.resident import Resident
from shared.errors import Unavailable
from shared.generation import GenerationRequest
from shared.generation_queue import GenerationQueue
from shared.redis_client import pending

log = structlog.get_logger("corral.worker")

WAIT_S: Final = 1.0
RETRY_S: Final = 0.5


class Puller:
    """A blocking wait on the model's queue, on a connection of its own so that `stop` can end it without a loss."""

    def __init__(
        self,
        redis: Redis,
        queue: GenerationQueue,
        residency: Residency,
        generations: Generations,
        resident: Resident,
        worker_id: str,
    ) -> None:
        self._redis = redis
        self._queue = queue
        self._residency = residency
        self._generations = generations
        self._resident = resident
        self._worker_id = worker_id
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._connection_id: int | None = None
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Take no more; returns when the last take has ended. What was taken goes on running."""
        self._stopping = True
        self._changed.set()
        if self._connection_id is not None:
            with contextlib.suppress(RedisError, OSError):
                await pending(self._redis.client_unblock(self._connection_id))
        await self._task

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._pull()
            except (RedisError, OSError) as cause:
                log.warning("pull_interrupted", cause=str(cause))
                await asyncio.sleep(RETRY_S)
            except Exception:
                # A job this worker cannot read is for its gateway's watchdog; those behind it are still to be served.
                log.exception("pull_failed")

    async def _pull(self) -> None:
        async with self._redis.client() as connection:
            self._connection_id = await connection.client_id()
            try:
                while not self._stopping:
                    if len(self._running) >= self._resident.slots_count:
                        self._changed.clear()
                        await self._changed.wait()
                        continue
                    request = await self._queue.take(
                        self._resident.entry.weights, self._worker_id, connection=connection, timeout_s=WAIT_S
                    )
                    if request is not None:
                        await self._start(request)
            finally:
                self._connection_id = None

    async def _start(self, request: GenerationRequest) -> None:
        try:
            lease = self._residency.lease(self._resident, request.keep_alive_s, is_use=not request.is_smoke)
        except Unavailable:
            # The runner died a moment ago; whoever loads the model next takes the job.
            await self._queue.give_back(request)
            self._stopping = True
            return
        task = self._generations.start(request, self._resident, lease)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._changed.set()
