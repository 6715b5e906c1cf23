"""A generation's life on a real worker: from the queue to frames, and every way it may be ended from outside."""

import asyncio

import pytest
from redis.asyncio import Redis

from fakes.gateway_desk import GatewayDesk
from fakes.polling import until
from harness.worker_service import WorkerService
from shared import keys
from shared.generation import (
    ChatPrompt,
    Delta,
    DoneReason,
    Finished,
    LoadOnly,
    Message,
    RequestId,
    Started,
    Truncated,
)
from shared.model_index import ModelEntry


@pytest.fixture
async def model(desk: GatewayDesk, worker: WorkerService) -> ModelEntry:
    """A model the worker holds."""
    entry = await desk.publish("smollm2:135m")
    await desk.load(worker.worker_id, entry)
    await until(lambda: desk.is_ready(entry), within_s=20)
    return entry


async def test_a_waiting_generation_runs_once_its_model_was_loaded_on_demand(
    desk: GatewayDesk, worker: WorkerService
) -> None:
    entry = await desk.publish("smollm2:135m")
    request_id = await desk.ask(entry, num_predict=16)
    await desk.load(worker.worker_id, entry)
    finished = await desk.finished(request_id)
    kinds = [type(event) for event in desk.heard[request_id].events]
    assert kinds == [Started, *[Delta] * (len(kinds) - 2), Finished]
    assert desk.heard[request_id].text.startswith(" 7, 8, 9,")
    assert finished.usage.generated_tokens == len(desk.heard[request_id].token_ids)
    assert finished.usage.load_ns > 10_000_000
    await desk.no_job_is_left()


async def test_a_request_without_a_prompt_only_waits_for_the_model(desk: GatewayDesk, model: ModelEntry) -> None:
    finished = await desk.finished(await desk.ask(model, LoadOnly()))
    assert finished.reason is DoneReason.LOAD


async def test_a_prompt_can_be_had_as_it_was_written_without_an_answer(desk: GatewayDesk, model: ModelEntry) -> None:
    prompt = ChatPrompt(messages=(Message("system", "Be brief."), Message("user", "Hi")))
    request_id = await desk.ask(model, prompt, count_only=True, render_only=True)
    finished = await desk.finished(request_id)
    assert desk.heard[request_id].text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (finished.usage.generated_tokens, desk.heard[request_id].token_ids) == (0, [])


async def test_the_context_of_a_reply_continues_it(desk: GatewayDesk, model: ModelEntry) -> None:
    first = await desk.ask(model, num_predict=5, want_context=True)
    context = (await desk.finished(first)).context
    second = await desk.ask(model, ChatPrompt(messages=(Message("user", "Go on."),), context=context), num_predict=5)
    usage = (await desk.finished(second)).usage
    assert usage.prompt_tokens > len(context)
    assert usage.cached_tokens >= len(context) - 1


async def test_a_context_of_unknown_tokens_fails_alone_and_the_runner_lives_on(
    desk: GatewayDesk, model: ModelEntry
) -> None:
    neighbour = await desk.ask(model, num_predict=40)
    await desk.streaming(neighbour)
    prompt = ChatPrompt(messages=(Message("user", "Go on."),), context=(1, 2**40, -5))
    assert (await desk.failed(await desk.ask(model, prompt))).error.code == "parameter_invalid"
    assert (await desk.finished(neighbour)).usage.generated_tokens == 40


async def test_a_conversation_too_long_for_its_context_loses_its_oldest_messages_and_says_so(
    desk: GatewayDesk, model: ModelEntry
) -> None:
    messages = (Message("system", "Be brief."), *(Message("user", f"{n} " + "word " * 40) for n in range(8)))
    prompt = ChatPrompt(messages=messages)
    shortened = await desk.finished(await desk.ask(model, prompt, num_ctx=256, num_predict=4, truncate=True))
    assert 0 < shortened.dropped_messages_count < 8
    assert shortened.usage.prompt_tokens < 256
    refused = await desk.failed(await desk.ask(model, prompt, num_ctx=256, truncate=False, shift=True))
    assert refused.error.code == "context_length_exceeded"
    assert refused.error.detail["context_tokens"] == 256


async def test_a_prompt_with_nothing_left_to_drop_loses_its_middle_and_says_so_before_its_answer(
    desk: GatewayDesk, model: ModelEntry
) -> None:
    prompt = ChatPrompt(messages=(Message("user", "before"), Message("user", "word " * 400)))
    asked = await desk.ask(model, prompt, num_ctx=128, num_predict=4, truncate=True, shift=True)
    cut = await desk.finished(asked)
    assert cut.dropped_messages_count == 1
    assert cut.dropped_tokens_count > 400 - 128
    assert 60 < cut.usage.prompt_tokens < 70
    told = [event for event in desk.heard[asked].events if isinstance(event, Truncated | Delta)][:2]
    lost = [(one.dropped_messages_count, one.dropped_tokens_count) for one in told if isinstance(one, Truncated)]
    assert lost == [(1, 0), (1, cut.dropped_tokens_count)]
    refused = await desk.failed(await desk.ask(model, prompt, num_ctx=128, truncate=True))
    assert refused.error.code == "context_length_exceeded"


async def test_a_generation_that_shifts_tells_how_much_left_its_context(desk: GatewayDesk, model: ModelEntry) -> None:
    shifted = await desk.finished(await desk.ask(model, num_ctx=64, num_predict=100, shift=True))
    assert (shifted.usage.generated_tokens, shifted.reason) == (100, DoneReason.LENGTH)
    assert shifted.shifted_tokens_count > 100 - 64
    full = await desk.finished(await desk.ask(model, num_ctx=64, num_predict=100))
    assert full.usage.generated_tokens + full.usage.prompt_tokens == 64
    assert full.shifted_tokens_count == 0


async def test_a_cancelled_running_generation_frees_its_slot_at_once(
    desk: GatewayDesk, worker: WorkerService, model: ModelEntry
) -> None:
    running = [await desk.ask(model, num_predict=900) for _ in range(2)]
    for request_id in running:
        await desk.streaming(request_id)
    waiting = await desk.ask(model, "Say hello.", num_predict=4)
    assert await desk.queue.position(waiting, model.weights) == 1
    await desk.queue.cancel(running[0], model.weights)
    # Both slots would be taken for half a minute more if the runner went on with the cancelled one.
    await desk.finished(waiting, within_s=10)
    assert desk.heard[running[0]].end is None
    await desk.queue.cancel(running[1], model.weights)
    await until(lambda: desk.is_idle(model))
    await desk.no_job_is_left()


async def test_the_runner_itself_stops_computing_what_was_cancelled(
    desk: GatewayDesk, worker: WorkerService, model: ModelEntry
) -> None:
    request_id = await desk.ask(model, num_predict=900)
    await desk.streaming(request_id)
    await desk.queue.cancel(request_id, model.weights)
    (runner,) = worker.runners()

    async def idle() -> bool:
        before_s = sum(runner.cpu_times()[:2])
        await asyncio.sleep(0.2)  # the measured interval, not a wait for something
        return sum(runner.cpu_times()[:2]) - before_s < 0.02

    await until(idle, within_s=5)


async def test_a_cancelled_waiting_generation_never_starts(desk: GatewayDesk, model: ModelEntry) -> None:
    running = [await desk.ask(model, num_predict=60) for _ in range(2)]
    for request_id in running:
        await desk.streaming(request_id)
    waiting = await desk.ask(model, num_predict=4)
    await desk.queue.cancel(waiting, model.weights)
    for request_id in running:
        await desk.finished(request_id)
    last = await desk.ask(model, num_predict=1)
    await desk.finished(last)
    assert desk.heard[waiting].events == []
    await desk.no_job_is_left()


async def test_a_generation_whose_deadline_has_passed_fails_without_being_run(
    desk: GatewayDesk, model: ModelEntry
) -> None:
    failed = await desk.failed(await desk.ask(model, deadline_unix_ms=1))
    assert failed.error.code == "deadline_exceeded"
    await desk.no_job_is_left()


async def test_generations_of_a_gateway_that_is_gone_are_ended(desk: GatewayDesk, model: ModelEntry) -> None:
    request_id = await desk.ask(model, num_predict=900)
    await desk.streaming(request_id)
    await desk.die()
    await until(lambda: desk.is_idle(model))
    await desk.no_job_is_left()


async def test_a_job_nobody_can_read_does_not_end_the_pulling(
    desk: GatewayDesk, redis: Redis, model: ModelEntry
) -> None:
    await redis.hset(keys.job("garbage"), mapping={"body": b"\xc1", "gateway": "gateway-1"})  # type: ignore[misc]
    await redis.zadd(keys.queue(model.weights), {"garbage": 0})
    await desk.finished(await desk.ask(model, num_predict=1), within_s=10)


async def test_a_cancel_that_comes_before_the_start_is_not_forgotten(
    desk: GatewayDesk, worker: WorkerService, redis: Redis, model: ModelEntry
) -> None:
    late = RequestId("cancelled-early")
    await redis.xadd(keys.cancels(worker.worker_id), {"request": late, "attempt": 1})
    marker = await desk.ask(model, num_predict=1)
    await desk.finished(marker)
    await desk.ask(model, request_id=late, num_predict=900)
    await desk.finished(await desk.ask(model, num_predict=1))
    await until(lambda: desk.is_idle(model))
    assert desk.heard[late].events == []
