"""Names and payloads of the control jobs that arq carries: what is long, retryable and outlives its caller."""

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from arq import ArqRedis
from arq.jobs import Job
from arq.worker import Worker as ArqWorker
from redis.exceptions import RedisError

from shared import keys, redis_client
from shared.digest import Digest

LOAD: Final = "load"
UNLOAD: Final = "unload"

CLOSE_S_MAX: Final = 3.0
"""How long a worker's goodbye to Redis may take; one that hangs must not keep a service from stopping."""

serialize = msgspec.msgpack.encode
deserialize = msgspec.msgpack.decode


@contextlib.asynccontextmanager
async def connected(redis_url: str) -> AsyncIterator[ArqRedis]:
    """arq's client for the length of the block; its pickle is replaced by msgpack, so a payload can never run code."""
    pool = redis_client.connect(redis_url).connection_pool
    client = ArqRedis(pool, job_serializer=serialize, job_deserializer=deserialize)
    try:
        yield client
    finally:
        await client.aclose(close_connection_pool=True)


async def serve(worker: ArqWorker) -> None:
    """Run an arq worker until cancelled or until Redis is lost, and end its jobs."""
    try:
        await worker.async_run()
    finally:
        # Without Redis closing fails too, and that must not take the place of a cancellation on its way.
        with warnings.catch_warnings(), contextlib.suppress(RedisError, OSError):
            # arq closes its pool by a name that redis-py has given up.
            warnings.simplefilter("ignore", DeprecationWarning)
            async with asyncio.timeout(CLOSE_S_MAX):
                await worker.close()


async def enqueue_load(pool: ArqRedis, worker_id: str, weights: Digest, model: str) -> None:
    """Ask a worker to make a model resident; a request already waiting there is not repeated."""
    await pool.enqueue_job(
        LOAD, model, weights, _job_id=f"{LOAD}:{worker_id}:{weights}", _queue_name=keys.worker_jobs(worker_id)
    )


async def unload(pool: ArqRedis, worker_id: str, weights: Digest, *, timeout_s: float) -> None:
    """Ask a worker to drop a model once it is idle, and wait until it has or `timeout_s` passed."""
    job: Job | None = await pool.enqueue_job(UNLOAD, weights, _queue_name=keys.worker_jobs(worker_id))
    if job is None:
        return
    result: Any = job.result(timeout=timeout_s, poll_delay=0.05)
    try:
        await result
    except TimeoutError:
        return
