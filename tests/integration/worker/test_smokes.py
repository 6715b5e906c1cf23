"""A smoke on the real worker: it is computed like any generation, and leaves no trace in what is known of the model."""

import asyncio
import functools
from pathlib import Path

import aiohttp

from fakes.gateway_desk import GatewayDesk, Heard
from fakes.polling import until
from harness.cluster import free_port
from harness.worker_service import WorkerService
from shared.generation import Finished

KEEP_ALIVE_S = 1.5


async def test_a_model_that_only_smokes_ask_for_leaves_when_its_keep_alive_has_passed(
    desk: GatewayDesk, redis_url: str, tmp_path: Path
) -> None:
    port = free_port()
    model = await desk.publish("smollm2:135m")
    ends: list[Finished] = []

    async def has_ended_or_cannot(heard: Heard) -> bool:
        return heard.end is not None or await desk.resident(model) is None

    async with (
        WorkerService(
            redis_url, desk.models_dir, tmp_path, port=str(port), keep_alive_s=str(KEEP_ALIVE_S)
        ).running() as worker,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):
        worker.worker_id = await desk.newcomer()
        await desk.load(worker.worker_id, model)
        await until(lambda: desk.is_ready(model), within_s=20)
        async with asyncio.timeout(8 * KEEP_ALIVE_S):
            while await desk.resident(model) is not None:
                heard = desk.heard[await desk.ask(model, num_predict=4, is_smoke=True)]
                await until(functools.partial(has_ended_or_cannot, heard))
                if isinstance(heard.end, Finished):
                    ends.append(heard.end)

        async with http.get("/metrics") as response:
            page = await response.text()
    assert len(ends) > 3, "it was asked all the time"
    assert {end.usage.generated_tokens for end in ends} == {4}
    assert 'corral_worker_evictions_total{reason="expired"} 1.0' in page
    assert f'corral_worker_generated_tokens_total{{model="{model.name.full}"}}' in page
    assert "corral_worker_token_seconds_count" not in page, "nobody measures the worker by smokes"
