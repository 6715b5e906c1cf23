"""Models coming and going on a real worker, and what happens when one of its processes dies."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import structs
from redis.asyncio import Redis

from fakes.gateway_desk import GatewayDesk
from fakes.gguf_files import tiny_model
from fakes.llama_models import write_adapter, write_llama
from fakes.pictures import png, write_eyes
from fakes.polling import until
from harness.worker_service import WorkerService, is_alive
from shared.digest import Digest
from shared.generation import ChatPrompt, DoneReason, Message, RawPrompt
from shared.model_index import ModelEntry, ModelIndex, resident_weights
from shared.model_name import parse_model_name


async def loaded(desk: GatewayDesk, worker: WorkerService, name: str = "smollm2:135m") -> ModelEntry:
    entry = await desk.publish(name)
    await desk.load(worker.worker_id, entry)
    await until(lambda: desk.is_ready(entry), within_s=20)
    return entry


async def is_absent(desk: GatewayDesk, model: ModelEntry) -> bool:
    return await desk.resident(model) is None


async def test_a_killed_runner_fails_its_generations_and_the_model_can_be_had_again(
    desk: GatewayDesk, worker: WorkerService
) -> None:
    model = await loaded(desk, worker)
    running = [await desk.ask(model, num_predict=900) for _ in range(2)]
    for request_id in running:
        await desk.streaming(request_id)
    (runner,) = worker.runners()
    runner.kill()
    for request_id in running:
        failed = await desk.failed(request_id, within_s=5)
        assert failed.error.code == "runner_died"
        assert "signal 9" in failed.error.message
    died_s = time.monotonic()
    again = await desk.ask(model, num_predict=2)
    await until(lambda: is_absent(desk, model))
    await desk.load(worker.worker_id, model)
    await desk.finished(again, within_s=5)
    assert time.monotonic() - died_s < 5
    await desk.no_job_is_left()


async def test_jobs_waiting_when_the_runner_dies_are_kept_for_the_next(
    desk: GatewayDesk, worker: WorkerService
) -> None:
    model = await loaded(desk, worker)
    running = [await desk.ask(model, num_predict=900) for _ in range(2)]
    for request_id in running:
        await desk.streaming(request_id)
    waiting = await desk.ask(model, num_predict=2)
    worker.runners()[0].kill()
    await until(lambda: is_absent(desk, model))
    await desk.load(worker.worker_id, model)
    assert (await desk.finished(waiting)).reason is DoneReason.LENGTH


async def test_a_job_that_waited_while_its_model_was_replaced_runs_on_the_weights_it_asked_for(
    desk: GatewayDesk, worker: WorkerService
) -> None:
    old = await desk.publish("smollm2:135m")
    waiting = await desk.ask(old, num_predict=2)
    await desk.replace(old)
    await desk.load(worker.worker_id, old)
    assert (await desk.finished(waiting)).reason is DoneReason.LENGTH


async def test_a_keep_alive_of_zero_unloads_the_model_once_the_reply_is_given(
    desk: GatewayDesk, worker: WorkerService
) -> None:
    model = await loaded(desk, worker)
    (runner,) = worker.runners()
    await desk.finished(await desk.ask(model, num_predict=2, keep_alive_s=0.0))
    await until(lambda: is_absent(desk, model))
    await until(lambda: not is_alive(runner))


async def test_an_unload_waits_for_those_who_use_the_model(desk: GatewayDesk, worker: WorkerService) -> None:
    model = await loaded(desk, worker)
    running = await desk.ask(model, num_predict=60)
    await desk.streaming(running)
    await desk.unload(worker.worker_id, model)
    assert (await desk.finished(running, within_s=1)).usage.generated_tokens == 60
    assert await is_absent(desk, model)


async def test_the_idle_model_makes_room_for_the_next_one(desk: GatewayDesk, worker: WorkerService) -> None:
    first = await loaded(desk, worker, "first:latest")
    second = await loaded(desk, worker, "second:latest")
    assert await is_absent(desk, first)
    await desk.finished(await desk.ask(second, num_predict=2))
    assert len(worker.runners()) == 1


async def test_a_model_in_use_is_not_evicted_and_the_waiting_job_stays_queued(
    desk: GatewayDesk, worker: WorkerService
) -> None:
    first = await loaded(desk, worker, "first:latest")
    running = await desk.ask(first, num_predict=100)
    await desk.streaming(running)
    second = await desk.publish("second:latest")
    waiting = await desk.ask(second, num_predict=2)
    await desk.load(worker.worker_id, second)
    await until(lambda: "load_postponed" in worker.log)
    assert await desk.queue.position(waiting, second.weights) == 1
    await desk.finished(running)
    await desk.load(worker.worker_id, second)
    await desk.finished(waiting)


@pytest.mark.parametrize("content", [b"GGUF but no more of it", tiny_model()])
async def test_a_broken_model_fails_everyone_who_waits_once_and_the_worker_goes_on(
    desk: GatewayDesk, worker: WorkerService, content: bytes
) -> None:
    broken = await desk.publish("broken:latest", content=content)
    waiting = [await desk.ask(broken) for _ in range(3)]
    await desk.load(worker.worker_id, broken)
    for request_id in waiting:
        failed = await desk.failed(request_id, within_s=10)
        assert failed.error.code == "model_load_failed"
        assert "llama.cpp could not load the model" in failed.error.message
    model = await loaded(desk, worker)
    await desk.finished(await desk.ask(model, num_predict=2))
    assert all(len(desk.heard[request_id].events) == 1 for request_id in waiting)
    await desk.no_job_is_left()


async def test_parameters_no_model_can_have_fail_the_waiting_jobs_too(desk: GatewayDesk, worker: WorkerService) -> None:
    odd = await desk.publish("odd:latest", params={"num_batch": 0})
    waiting = await desk.ask(odd)
    await desk.load(worker.worker_id, odd)
    assert (await desk.failed(waiting, within_s=10)).error.code == "internal"


async def test_a_model_larger_than_the_workers_memory_is_refused_with_both_sizes(
    desk: GatewayDesk, redis_url: str, tmp_path: Path
) -> None:
    small = WorkerService(redis_url, desk.models_dir, tmp_path, memory_bytes_max=str(200 << 20))
    async with small.running():
        worker_id = await desk.newcomer()
        model = await desk.publish("smollm2:135m")
        waiting = await desk.ask(model)
        await desk.load(worker_id, model)
        failed = await desk.failed(waiting)
    assert failed.error.code == "memory_exceeded"
    assert "0.2 GiB" in failed.error.message


async def test_sigterm_lets_the_running_generation_finish_and_leaves_nothing_behind(
    desk: GatewayDesk, worker: WorkerService
) -> None:
    model = await loaded(desk, worker)
    running = await desk.ask(model, num_predict=60)
    await desk.streaming(running)
    runners = worker.runners()
    worker.terminate()
    assert (await desk.finished(running)).usage.generated_tokens == 60
    assert await worker.exit_code() == 0
    assert not any(map(is_alive, runners))
    assert await is_absent(desk, model)
    await desk.no_job_is_left()


async def test_a_draining_worker_takes_no_more_jobs(desk: GatewayDesk, worker: WorkerService) -> None:
    model = await loaded(desk, worker)
    running = await desk.ask(model, num_predict=100)
    await desk.streaming(running)
    worker.terminate()
    await until(desk.a_worker_drains)
    waiting = await desk.ask(model, num_predict=2)
    await worker.exit_code()
    assert await desk.queue.position(waiting, model.weights) == 1
    assert desk.heard[waiting].events == []


async def test_a_generation_longer_than_the_drain_time_is_failed_not_cut_off_in_silence(
    desk: GatewayDesk, redis_url: str, tmp_path: Path
) -> None:
    hasty = WorkerService(redis_url, desk.models_dir, tmp_path, drain_s="0.2")
    async with hasty.running():
        hasty.worker_id = await desk.newcomer()
        model = await loaded(desk, hasty)
        running = await desk.ask(model, num_predict=900)
        await desk.streaming(running)
        hasty.terminate()
        assert (await desk.failed(running)).error.code == "runner_died"
        assert await hasty.exit_code() == 0


async def test_a_killed_worker_leaves_no_runner_behind(desk: GatewayDesk, worker: WorkerService) -> None:
    model = await loaded(desk, worker)
    running = await desk.ask(model, num_predict=900)
    await desk.streaming(running)
    runners = worker.runners()
    assert len(runners) == 1
    worker.kill()
    await until(lambda: not any(map(is_alive, runners)))


async def test_a_worker_killed_while_it_loads_leaves_no_runner_behind(desk: GatewayDesk, worker: WorkerService) -> None:
    model = await desk.publish("smollm2:135m")
    await desk.load(worker.worker_id, model)
    await until(lambda: bool(worker.runners()))
    runners = worker.runners()
    worker.kill()
    await until(lambda: not any(map(is_alive, runners)))


async def test_a_model_with_an_adapter_speaks_beside_its_base_and_differently(
    desk: GatewayDesk, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    base = await desk.publish("base:latest", content=write_llama(tmp_path / "m.gguf").read_bytes())
    base = structs.replace(base, context_length=256, kv_bytes_per_token=512, params={"num_ctx": 128})
    adapter = Digest("sha256:" + "f" * 64)
    desk.blob_path(adapter).write_bytes(write_adapter(tmp_path / "a.gguf").read_bytes())
    tuned = structs.replace(
        base,
        name=parse_model_name("tuned"),
        weights=resident_weights(base.weights, [adapter]),
        base_weights=base.weights,
        adapters=(adapter,),
    )
    await ModelIndex(redis).publish([base, tuned])
    async with WorkerService(redis_url, desk.models_dir, tmp_path).running() as roomy:
        roomy.worker_id = await desk.newcomer()
        said: list[list[int]] = []
        for model in (base, tuned, base):
            await desk.load(roomy.worker_id, model)
            asked = await desk.ask(model, RawPrompt(text="hello there"), num_predict=8)
            await desk.finished(asked)
            said.append(desk.heard[asked].token_ids)
        assert len(roomy.runners()) == 2
    assert said[0] == said[2]
    assert said[0] != said[1]


async def test_a_model_with_a_projector_sees_and_the_same_weights_without_one_say_that_they_cannot(
    desk: GatewayDesk, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    blind = await desk.publish("blind:latest", content=write_llama(tmp_path / "m.gguf").read_bytes())
    blind = structs.replace(blind, context_length=256, kv_bytes_per_token=512, params={"num_ctx": 128})
    projector = Digest("sha256:" + "e" * 64)
    desk.blob_path(projector).write_bytes(write_eyes(tmp_path / "eyes.gguf").read_bytes())
    eyes = structs.replace(
        blind,
        name=parse_model_name("eyes"),
        weights=resident_weights(blind.weights, [projector]),
        base_weights=blind.weights,
        projector=projector,
    )
    await ModelIndex(redis).publish([blind, eyes])
    async with WorkerService(redis_url, desk.models_dir, tmp_path).running() as roomy:
        roomy.worker_id = await desk.newcomer()
        said: list[list[int]] = []
        for image in (png(1), png(2), png(1)):
            await desk.load(roomy.worker_id, eyes)
            asked = await desk.ask(eyes, shown(image), num_predict=8)
            await desk.finished(asked)
            said.append(desk.heard[asked].token_ids)
        assert (await desk.failed(await desk.ask(eyes, shown(b"no picture")))).error.code == "parameter_invalid"
        await desk.load(roomy.worker_id, blind)
        assert (await desk.failed(await desk.ask(blind, shown(png(1))))).error.code == "capability_missing"
    assert said[0] == said[2]
    assert said[0] != said[1]


def shown(image: bytes) -> ChatPrompt:
    return ChatPrompt(
        messages=(Message(role="user", content="what is it?", images=(image,)),),
        template="{{ range .Messages }}{{ .Content }}{{ end }} Say:",
    )


async def test_weights_that_are_not_on_this_machine_are_fetched_from_the_registry_and_kept(
    desk: GatewayDesk, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    model = await desk.publish("smollm2:135m", real_digest=True)
    asked: list[str] = []

    async def blob(request: web.Request) -> web.FileResponse:
        asked.append(request.match_info["digest"])
        return web.FileResponse(desk.blob_path(model.weights))

    registry = web.Application()
    registry.router.add_get("/api/blobs/{digest}", blob)
    async with TestServer(registry) as server:
        far = WorkerService(redis_url, tmp_path / "nowhere", tmp_path, registry_url=str(server.make_url("/")))
        async with far.running():
            far.worker_id = await desk.newcomer()
            await desk.load(far.worker_id, model)
            await desk.finished(await desk.ask(model, num_predict=2))
            await desk.unload(far.worker_id, model)
            await desk.load(far.worker_id, model)
            await desk.finished(await desk.ask(model, num_predict=2))
    assert asked == [model.weights]


async def test_the_worker_is_ready_once_the_cluster_knows_it(
    desk: GatewayDesk, redis_url: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    service = WorkerService(redis_url, desk.models_dir, tmp_path, port=str(unused_tcp_port))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with service.running(), aiohttp.ClientSession() as http:
        await desk.newcomer()

        async def ready() -> bool:
            try:
                async with http.get(f"{url}/readyz") as response:
                    return response.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await until(ready)
        async with http.get(f"{url}/metrics") as response:
            assert "corral_worker_slots_in_use" in await response.text()


async def test_models_loading_at_the_same_time_take_turns(desk: GatewayDesk, redis_url: str, tmp_path: Path) -> None:
    async with WorkerService(redis_url, desk.models_dir, tmp_path).running() as roomy:
        roomy.worker_id = await desk.newcomer()
        models = [await desk.publish(f"model-{number}:latest") for number in range(2)]
        asked = [await desk.ask(model, num_predict=4) for model in models]
        await asyncio.gather(*(desk.load(roomy.worker_id, model) for model in models))
        replies = [await desk.finished(request_id) for request_id in asked]
        assert [reply.usage.generated_tokens for reply in replies] == [4, 4]
        assert desk.heard[asked[0]].text == desk.heard[asked[1]].text
        assert len(roomy.runners()) == 2
