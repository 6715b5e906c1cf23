"""Embeddings on a real worker with all-MiniLM-L6-v2: in a runner of their own kind, cancelled, refused."""

from collections.abc import Sequence

import pytest

from fakes.conversions import converted
from fakes.gateway_desk import GatewayDesk
from fakes.minilm import minilm_folder
from fakes.polling import until
from fakes.tiny_checkpoints import files_of
from harness.worker_service import WorkerService
from shared.generation import DoneReason, Embedded, EmbedPrompt, LoadOnly, RawPrompt, RequestId
from shared.model_index import ModelEntry

VECTOR_BYTES = 384 * 4


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return converted(files_of(minilm_folder()), tmp_path_factory.mktemp("minilm")).read_bytes()


@pytest.fixture
async def model(desk: GatewayDesk, worker: WorkerService, weights: bytes) -> ModelEntry:
    """An embedding model that the worker holds."""
    entry = await desk.publish("minilm", content=weights, capability="embedding")
    await desk.load(worker.worker_id, entry)
    await until(lambda: desk.is_ready(entry), within_s=20)
    return entry


def vectors(desk: GatewayDesk, request_id: RequestId) -> list[bytes]:
    events: Sequence[object] = desk.heard[request_id].events
    return [vector for event in events if isinstance(event, Embedded) for vector in event.vectors]


async def test_every_input_gives_a_vector_in_order_and_its_tokens_are_counted(
    desk: GatewayDesk, model: ModelEntry
) -> None:
    texts = tuple(f"text {number}" for number in range(100))
    together = await desk.ask(model, EmbedPrompt(inputs=(*texts, texts[0])))
    finished = await desk.finished(together)
    assert finished.reason is DoneReason.STOP
    assert finished.usage.prompt_tokens == 4 * 101
    assert finished.usage.load_ns > 10_000_000
    found = vectors(desk, together)
    assert [len(vector) for vector in found] == [VECTOR_BYTES] * 101
    assert len(set(found)) in (100, 101)  # the same text in other company may differ in the last bits
    assert (await desk.finished(await desk.ask(model, LoadOnly()))).reason is DoneReason.LOAD
    await desk.no_job_is_left()


async def test_a_cancelled_list_stops_being_computed(desk: GatewayDesk, model: ModelEntry) -> None:
    long = [await desk.ask(model, EmbedPrompt(inputs=("many words " * 200,) * 2000)) for _ in range(2)]
    await until(lambda: desk_has_vectors(desk, long))
    for request_id in long:
        await desk.queue.cancel(request_id, model.weights)
    # Both slots would be taken for minutes if the runner went on with the lists.
    short = await desk.ask(model, EmbedPrompt(inputs=("hello",)))
    await desk.finished(short, within_s=10)
    assert all(desk.heard[request_id].end is None for request_id in long)
    await until(lambda: desk.is_idle(model))
    await desk.no_job_is_left()


async def desk_has_vectors(desk: GatewayDesk, requests: list[RequestId]) -> bool:
    return all(vectors(desk, request_id) for request_id in requests)


async def test_a_list_with_one_input_too_long_fails_and_no_other_does(desk: GatewayDesk, model: ModelEntry) -> None:
    neighbour = await desk.ask(model, EmbedPrompt(inputs=("a neighbour",) * 50))
    refused = await desk.ask(model, EmbedPrompt(inputs=("fits", "word " * 3000)), truncate=False)
    assert (await desk.failed(refused)).error.code == "input_too_long"
    await desk.finished(neighbour)
    cut = await desk.ask(model, EmbedPrompt(inputs=("fits", "word " * 3000)), truncate=True)
    assert (await desk.finished(cut)).usage.prompt_tokens == 3 + 512


async def test_text_is_not_asked_of_a_model_that_embeds_nor_vectors_of_one_that_writes(
    desk: GatewayDesk, worker: WorkerService, model: ModelEntry
) -> None:
    refused = await desk.ask(model, RawPrompt(text="Hello"))
    assert (await desk.failed(refused)).error.code == "capability_missing"
    await desk.finished(await desk.ask(model, EmbedPrompt(inputs=("hello",))))
    writer = await desk.publish("smollm2:135m")
    await desk.load(worker.worker_id, writer)
    refused = await desk.ask(writer, EmbedPrompt(inputs=("hello",)))
    assert (await desk.failed(refused)).error.code == "capability_missing"
    await desk.finished(await desk.ask(writer, num_predict=2))


async def test_weights_that_cannot_embed_are_reported_once_with_the_reason(
    desk: GatewayDesk, worker: WorkerService
) -> None:
    entry = await desk.publish("claims-too-much", capability="embedding")
    request_id = await desk.ask(entry, EmbedPrompt(inputs=("hello",)))
    await desk.load(worker.worker_id, entry)
    error = (await desk.failed(request_id)).error
    assert (error.code, "no vector for a whole text" in error.message) == ("model_load_failed", True)
