"""A real worker's metrics page follows a model's life in it."""

from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from fakes.gateway_desk import GatewayDesk
from fakes.polling import until
from harness.cluster import free_port
from harness.worker_service import WorkerService

MEMORY_BYTES_MAX = 2 << 30


class Page:
    """The metrics of one process."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def value(self, name: str, **labels: str) -> float | None:
        async with self._http.get(self._url) as response:
            text = await response.text()
        return next(
            (
                sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if (sample.name, sample.labels) == (f"corral_worker_{name}", labels)
            ),
            None,
        )


async def test_a_models_memory_loads_tokens_and_end_are_shown(
    redis: Redis, redis_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    port = free_port()
    page = Page(http, f"http://127.0.0.1:{port}/metrics")
    async with (
        GatewayDesk(redis, redis_url, tmp_path / "models").open() as desk,
        WorkerService(
            redis_url, desk.models_dir, tmp_path, port=str(port), memory_bytes_max=str(MEMORY_BYTES_MAX)
        ).running() as worker,
    ):
        worker.worker_id = await desk.newcomer()
        model = await desk.publish("smollm2:135m")
        await desk.load(worker.worker_id, model)
        for tokens_count in (8, 1):
            await desk.finished(await desk.ask(model, num_predict=tokens_count))
        await desk.no_job_is_left()

        resident = await desk.resident(model)
        assert resident is not None
        assert await page.value("resident_models") == 1
        assert await page.value("resident_bytes") == resident.size_bytes
        assert await page.value("model_bytes", model=model.name.full) == resident.size_bytes
        assert await page.value("slots") == resident.slots_count
        assert await page.value("memory_max_bytes") == MEMORY_BYTES_MAX
        assert await page.value("model_load_seconds_count", outcome="ok") == 1
        assert await page.value("generated_tokens_total", model=model.name.full) == 9
        # A single token has no distance to another.
        assert await page.value("token_seconds_count", model=model.name.full) == 1
        assert 0 < (await page.value("token_seconds_sum", model=model.name.full) or 0) < 5

        await desk.unload(worker.worker_id, model)

        async def is_empty() -> bool:
            return await page.value("resident_models") == 0

        await until(is_empty)
        assert await page.value("resident_bytes") == 0
        assert await page.value("model_bytes", model=model.name.full) is None
        assert await page.value("slots") == 0
        assert await page.value("evictions_total", reason="requested") == 1
