"""Steps reach their watcher in order; a slow watcher sees the newest state of each."""

import asyncio
import contextlib

import pytest

from services.registry.building.steps import Tell, steps_of
from services.registry.transfers.progress import Progress
from shared.errors import ModelFileInvalid


async def test_steps_come_in_order_and_those_that_only_move_on_are_told_once() -> None:
    async def work(tell: Tell) -> None:
        tell(Progress(status="a"))
        for share in range(1000):
            tell(Progress(status="b", total=1000, completed=share))
        tell(Progress(status="b", digest="d"))
        tell(Progress(status="a"))

    assert [step async for step in steps_of(work)] == [
        Progress(status="a"),
        Progress(status="b", total=1000, completed=999),
        Progress(status="b", digest="d"),
        Progress(status="a"),
    ]


async def test_an_error_comes_after_the_steps_before_it() -> None:
    async def work(tell: Tell) -> None:
        tell(Progress(status="a"))
        raise ModelFileInvalid("broken")

    steps = steps_of(work)
    assert (await anext(steps)).status == "a"
    with pytest.raises(ModelFileInvalid):
        await anext(steps)


async def test_leaving_early_ends_the_work() -> None:
    ended = asyncio.Event()

    async def work(tell: Tell) -> None:
        tell(Progress(status="a"))
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with contextlib.aclosing(steps_of(work)) as steps:
        await anext(steps)
    assert ended.is_set()
