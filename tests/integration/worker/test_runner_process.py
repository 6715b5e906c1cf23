"""A real runner process, driven the way the worker drives it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from fakes.gguf_files import real_model, tiny_model
from fakes.llama_models import write_llama
from fakes.pictures import write_eyes
from services.worker.engine.sequence import NewSequence, SequenceEvent, SequenceFinished, TokensOut
from services.worker.llama.params import LlamaParams
from services.worker.runner.messages import Open, StepDone
from services.worker.runner_process import RunnerProcess
from shared.errors import ModelLoadFailed, RemoteError
from shared.generation import DoneReason
from shared.options import Options


def opening(path: Path) -> Open:
    return Open(
        params=LlamaParams(path=str(path), n_ctx_seq=256, n_seq_max=2, n_batch=128, n_threads=1, n_gpu_layers=0),
        n_ctx_seq_max=1024,
        step_target_s=0.1,
        report_interval_s=0.0,
    )


class Listener:
    """What a runner reported."""

    def __init__(self) -> None:
        self.events: list[SequenceEvent] = []
        self.context_tokens = 0
        self.exits: list[str] = []
        self._changed = asyncio.Event()
        self.runner = RunnerProcess(self._on_step, self._on_exit)

    def _on_step(self, report: StepDone) -> None:
        self.events += report.events
        self.context_tokens = report.context_tokens
        self._changed.set()

    def _on_exit(self, reason: str) -> None:
        self.exits.append(reason)
        self._changed.set()

    async def until(self, condition: Callable[[], object], *, within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def finished(self, sequence_id: int) -> SequenceFinished | None:
        ends = [event for event in self.events if isinstance(event, SequenceFinished)]
        return next((end for end in ends if end.sequence_id == sequence_id), None)


def sequence(sequence_id: int, *, num_predict: int = -1, num_ctx: int = 0) -> NewSequence:
    return NewSequence(
        sequence_id=sequence_id,
        prompt="1, 2, 3, 4, 5, 6,",
        tenant="ann",
        options=Options(temperature=0, num_predict=num_predict, num_ctx=num_ctx),
    )


@pytest.mark.parametrize("content", [b"not a projector", None])
async def test_a_projector_that_cannot_be_loaded_is_a_reported_failure(tmp_path: Path, content: bytes | None) -> None:
    """None is a good projector for a model with other embeddings."""
    projector = tmp_path / "eyes.gguf"
    if content is None:
        write_eyes(projector, embedding=128)
    else:
        projector.write_bytes(content)
    command = opening(write_llama(tmp_path / "model.gguf"))
    params = structs.replace(command.params, projector=str(projector))
    listener = Listener()
    with pytest.raises(RemoteError) as refused:
        await listener.runner.open(structs.replace(command, params=params), timeout_s=20)
    assert refused.value.code == ModelLoadFailed.code
    assert "llama.cpp could not load the projector: " in refused.value.message


@pytest.mark.parametrize("content", [b"not a model", b"GGUF\x03\x00\x00\x00", tiny_model()])
async def test_a_file_llama_cannot_load_is_a_reported_failure_and_no_process_stays(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    listener = Listener()
    with pytest.raises(RemoteError) as refused:
        await listener.runner.open(opening(path), timeout_s=20)
    assert refused.value.code == ModelLoadFailed.code
    assert "llama.cpp could not load the model: " in refused.value.message
    assert listener.exits == []


async def test_a_load_that_takes_too_long_is_given_up() -> None:
    listener = Listener()
    with pytest.raises(ModelLoadFailed, match="timed out"):
        await listener.runner.open(opening(real_model()), timeout_s=0.01)


async def test_a_runner_serves_sequences_and_grows_when_one_asks_for_more() -> None:
    listener = Listener()
    opened = await listener.runner.open(opening(real_model()), timeout_s=20)
    assert opened.context_tokens == 256
    listener.runner.admit(sequence(1, num_predict=3))
    await listener.until(lambda: listener.finished(1))
    text = "".join(event.text for event in listener.events if isinstance(event, TokensOut))
    assert text == " 7,"
    listener.runner.admit(sequence(2, num_predict=3, num_ctx=512))
    await listener.until(lambda: listener.finished(2))
    assert listener.context_tokens == 512
    await listener.runner.close()
    assert listener.exits == [], "closing is not dying"


async def test_a_cancelled_sequence_is_heard_of_no_more() -> None:
    listener = Listener()
    await listener.runner.open(opening(real_model()), timeout_s=20)
    listener.runner.admit(sequence(1))
    await listener.until(lambda: listener.events)
    listener.runner.cancel(1)
    listener.runner.admit(sequence(2, num_predict=3))
    await listener.until(lambda: listener.finished(2))
    after = listener.events.index(next(event for event in listener.events if event.sequence_id == 2))
    assert {event.sequence_id for event in listener.events[after:]} == {2}
    end = listener.finished(2)
    assert end is not None
    assert end.reason is DoneReason.LENGTH
    await listener.runner.close()


async def test_a_runner_that_dies_says_how() -> None:
    listener = Listener()
    await listener.runner.open(opening(real_model()), timeout_s=20)
    listener.runner.admit(sequence(1))
    await listener.until(lambda: listener.events)
    process = listener.runner._process
    assert process is not None
    process.kill()
    await listener.until(lambda: listener.exits)
    assert listener.exits == ["killed by signal 9"]
    await listener.runner.close()
