"""What `/readyz` of a worker says when Redis hangs, and while it drains; its metrics are there until it leaves."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from fakes.gateway_desk import GatewayDesk
from fakes.polling import until
from harness.cluster import free_port
from harness.valkey import running_valkey
from harness.worker_service import WorkerService
from shared import redis_client


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def http(port: int) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        yield http


async def says(http: aiohttp.ClientSession, status: int, words: str) -> bool:
    try:
        async with http.get("/readyz", timeout=aiohttp.ClientTimeout(total=1)) as response:
            return (response.status, await response.text()) == (status, words)
    except aiohttp.ClientConnectionError:
        return False


async def test_a_redis_that_hangs_is_told_once_the_lease_has_ended(
    http: aiohttp.ClientSession, port: int, tmp_path: Path
) -> None:
    with running_valkey() as redis_url:
        async with WorkerService(redis_url, tmp_path / "models", tmp_path, port=str(port)).running():
            await until(lambda: says(http, 200, "ready"), within_s=20)
            redis = redis_client.connect(redis_url)
            await redis.client_pause(10_000)
            await until(lambda: says(http, 503, "not announced in Redis"), within_s=10)
            await redis.aclose()


async def test_a_worker_that_drains_says_so_and_is_measured_until_its_last_generation_has_ended(
    desk: GatewayDesk, redis_url: str, http: aiohttp.ClientSession, port: int, tmp_path: Path
) -> None:
    model = await desk.publish("smollm2:135m")
    async with WorkerService(redis_url, desk.models_dir, tmp_path, port=str(port)).running() as worker:
        worker.worker_id = await desk.newcomer()
        await desk.load(worker.worker_id, model)
        running = await desk.ask(model, num_predict=200)
        await desk.streaming(running)
        worker.terminate()
        await until(lambda: says(http, 503, "draining"))
        async with http.get("/metrics") as response:
            assert "corral_worker_slots_in_use 1.0" in await response.text()
        assert (await desk.finished(running)).usage.generated_tokens == 200
        assert await worker.exit_code() == 0
