"""Fixtures for tests of the real worker with a real model and a real Valkey."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from fakes.gateway_desk import GatewayDesk
from harness.worker_service import WorkerService


@pytest.fixture
async def desk(redis: Redis, redis_url: str, tmp_path: Path) -> AsyncIterator[GatewayDesk]:
    """A gateway's and a registry's part, played by the test."""
    async with GatewayDesk(redis, redis_url, tmp_path / "models").open() as desk:
        yield desk


@pytest.fixture
async def worker(desk: GatewayDesk, redis_url: str, tmp_path: Path) -> AsyncIterator[WorkerService]:
    """A worker process with two slots and room for one model."""
    async with WorkerService(
        redis_url, desk.models_dir, tmp_path, num_parallel="2", max_loaded_models="1"
    ).running() as worker:
        worker.worker_id = await desk.newcomer()
        yield worker
