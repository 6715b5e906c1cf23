"""Events of one generation on their way from the frame reader to its handler."""

import asyncio

import pytest

from services.gateway import open_generation
from services.gateway.open_generation import OpenGeneration
from shared.digest import Digest
from shared.errors import InternalError, RunnerDied, Unavailable
from shared.generation import (
    Delta,
    DoneReason,
    Event,
    Failed,
    Finished,
    GenerationRequest,
    LoadOnly,
    Piece,
    RequestId,
    Started,
    Usage,
)
from shared.options import Options

ID = RequestId("r")
FINISHED = Finished(request_id=ID, attempt=1, reason=DoneReason.STOP, usage=Usage())


def opened() -> OpenGeneration:
    request = GenerationRequest(
        request_id=ID,
        gateway_id="g",
        model="m",
        weights=Digest("sha256:" + "a" * 64),
        prompt=LoadOnly(),
        options=Options(),
        tenant="t",
        user="u",
        deadline_unix_ms=1,
    )
    return OpenGeneration(request, now_s=0.0)


def delta(text: str, attempt: int = 1) -> Delta:
    return Delta(request_id=ID, attempt=attempt, piece=Piece(text), token_ids=(1,))


async def batches(generation: OpenGeneration) -> list[list[Event]]:
    return [batch async for batch in generation.batches()]


async def test_events_that_wait_together_are_read_together() -> None:
    generation = opened()
    reading = asyncio.create_task(batches(generation))
    await asyncio.sleep(0)
    generation.push(delta("a"))
    generation.push(delta("b"))
    await asyncio.sleep(0)
    generation.push(FINISHED)
    assert await reading == [[delta("a"), delta("b")], [FINISHED]]


async def test_nothing_counts_after_the_last_event() -> None:
    generation = opened()
    generation.push(FINISHED)
    generation.push(delta("late"))
    generation.fail(Unavailable("late"))
    assert await batches(generation) == [[FINISHED]]
    assert generation.ended_by_worker


async def test_an_older_attempt_is_not_heard() -> None:
    generation = opened()
    generation.push(Started(request_id=ID, attempt=1, worker_id="w"))
    assert generation.next_attempt(5.0).attempt == 2
    assert not generation.is_started
    generation.push(delta("old", attempt=1))
    generation.push(delta("new", attempt=2))
    generation.fail(Unavailable("gone"))
    (batch,) = await batches(generation)
    assert [event.piece.text for event in batch if isinstance(event, Delta)] == ["new"]


def test_an_attempt_with_output_cannot_be_repeated() -> None:
    generation = opened()
    generation.push(delta("a"))
    with pytest.raises(AssertionError):
        generation.next_attempt(0.0)


async def test_a_runner_that_died_without_output_is_left_to_the_watchdog() -> None:
    generation = opened()
    generation.push(Failed(request_id=ID, attempt=1, error=RunnerDied("crash").info()))
    assert generation.runner_died
    assert not generation.is_over


@pytest.mark.parametrize("error", [RunnerDied("crash"), InternalError("other")])
async def test_a_failure_after_output_is_final(error: RunnerDied) -> None:
    generation = opened()
    generation.push(delta("a"))
    failed = Failed(request_id=ID, attempt=1, error=error.info())
    generation.push(failed)
    assert await batches(generation) == [[delta("a"), failed]]


async def test_a_client_that_never_reads_costs_a_bounded_number_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_generation, "EVENTS_UNREAD_MAX", 3)
    generation = opened()
    for _ in range(3):
        generation.push(delta("a"))
    assert not generation.is_over
    generation.push(delta("a"))
    assert generation.is_over
    generation.push(delta("a"))
    (batch,) = await batches(generation)
    assert len(batch) == 5
    assert isinstance(batch[-1], Failed)
