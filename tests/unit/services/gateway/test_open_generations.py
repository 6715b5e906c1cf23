"""Events of generations that are read together, and the ticks of a silence."""

import asyncio

from services.gateway.open_generation import OpenGeneration
from services.gateway.open_generations import OpenGenerations
from shared.digest import Digest
from shared.generation import (
    Delta,
    DoneReason,
    Event,
    Finished,
    GenerationRequest,
    LoadOnly,
    Piece,
    RequestId,
    Usage,
)
from shared.options import Options

NEVER_S = 1000.0
Batch = list[tuple[int, Event]]


def generation(request_id: str, arrived: asyncio.Event) -> OpenGeneration:
    request = GenerationRequest(
        request_id=RequestId(request_id),
        gateway_id="g",
        model="m",
        weights=Digest("sha256:" + "a" * 64),
        prompt=LoadOnly(),
        options=Options(),
        tenant="t",
        user="u",
        deadline_unix_ms=1,
    )
    return OpenGeneration(request, now_s=0.0, arrived=arrived)


def delta(request_id: str, text: str) -> Delta:
    return Delta(request_id=RequestId(request_id), attempt=1, piece=Piece(text), token_ids=(1,))


def finished(request_id: str) -> Finished:
    return Finished(request_id=RequestId(request_id), attempt=1, reason=DoneReason.STOP, usage=Usage())


def two(quiet_s: float) -> OpenGenerations:
    arrived = asyncio.Event()
    return OpenGenerations([generation("a", arrived), generation("b", arrived)], arrived, quiet_s=quiet_s)


async def test_events_of_all_come_with_their_index_until_all_have_ended() -> None:
    with two(NEVER_S) as opened:
        first, second = opened.generations
        batches = opened.batches()
        second.push(delta("b", "x"))
        assert await anext(batches) == [(1, delta("b", "x"))]
        first.push(finished("a"))
        assert await anext(batches) == [(0, finished("a"))]
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        assert not waiting.done()
        second.push(delta("b", "y"))
        second.push(finished("b"))
        assert await waiting == [(1, delta("b", "y")), (1, finished("b"))]
        assert [batch async for batch in batches] == []


async def test_what_ended_before_it_was_read_is_read_to_its_end() -> None:
    with two(NEVER_S) as opened:
        for one, name in zip(opened.generations, "ab", strict=True):
            one.push(finished(name))
        assert [batch async for batch in opened.batches()] == [[(0, finished("a")), (1, finished("b"))]]


async def test_a_silence_is_told_by_empty_batches_and_an_event_breaks_it() -> None:
    with two(0.01) as opened:
        batches = opened.batches()
        assert await anext(batches) == []
        assert await anext(batches) == []
        opened.generations[0].push(delta("a", "x"))
        found: Batch = []
        while not found:
            found = await anext(batches)
        assert found == [(0, delta("a", "x"))]


async def test_the_clock_stops_with_the_block() -> None:
    with two(0.001) as opened:
        timer = opened._timer
        assert timer is not None
    assert timer.cancelled()
