"""What arq carries on a real server, and that it lets go."""

import asyncio
from typing import Any

import pytest
from arq.worker import Worker as ArqWorker
from arq.worker import func

from fakes.polling import until
from harness.valkey import running_valkey
from shared import control_jobs, redis_client


async def test_a_redis_that_hangs_keeps_no_service_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_jobs, "CLOSE_S_MAX", 0.05)
    is_done = asyncio.Event()

    async def set_done(_context: dict[str, Any]) -> None:
        is_done.set()

    work: Any = set_done  # arq's type asks for functions that take anything

    with running_valkey() as redis_url:
        redis = redis_client.connect(redis_url)
        async with control_jobs.connected(redis_url) as pool:
            worker = ArqWorker(
                functions=[func(work, name="work")],
                queue_name="jobs",
                redis_pool=pool,
                handle_signals=False,
                poll_delay=0.01,
                job_serializer=control_jobs.serialize,
                job_deserializer=control_jobs.deserialize,
            )
            serving = asyncio.create_task(control_jobs.serve(worker))
            await pool.enqueue_job("work", _queue_name="jobs")
            await is_done.wait()
            await until(lambda: not worker.tasks)
            await redis.client_pause(60_000)
            serving.cancel()
            done, _ = await asyncio.wait([serving], timeout=5)
            assert done == {serving}
        await redis.aclose()
