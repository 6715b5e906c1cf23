"""Blocks are written in order, and what has arrived is written whatever happens."""

import asyncio

import pytest

from services.registry.transfers.block_writer import BLOCK_BYTES, BlockWriter

HALF = bytes(BLOCK_BYTES // 2)


class Disk:
    """Takes blocks as long as `open` is set; `fails` makes it refuse one."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.open = asyncio.Event()
        self.open.set()
        self.tried = asyncio.Event()
        self.fails = False

    async def write(self, block: list[bytes]) -> None:
        await self.open.wait()
        self.tried.set()
        if self.fails:
            raise OSError("no room")
        self.blocks.append(b"".join(block))


async def test_chunks_become_blocks_and_the_rest_is_written_at_the_end() -> None:
    disk = Disk()
    async with BlockWriter(disk.write) as writer:
        for chunk in (HALF, HALF, HALF, b"rest"):
            await writer.take(chunk)
    assert disk.blocks == [HALF + HALF, HALF + b"rest"]


async def test_nothing_is_written_where_nothing_came() -> None:
    disk = Disk()
    async with BlockWriter(disk.write):
        pass
    assert disk.blocks == []


async def test_one_block_is_written_while_the_next_gathers_and_no_third() -> None:
    disk = Disk()
    disk.open.clear()
    async with BlockWriter(disk.write) as writer:
        for _ in range(3):
            await writer.take(HALF)
        third = asyncio.create_task(writer.take(HALF))
        await asyncio.sleep(0)
        assert not third.done()
        disk.open.set()
        await third
    assert disk.blocks == [HALF + HALF, HALF + HALF]


async def test_what_came_before_a_failure_is_written() -> None:
    disk = Disk()

    async def receive() -> None:
        async with BlockWriter(disk.write) as writer:
            await writer.take(b"before")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await receive()
    assert disk.blocks == [b"before"]


async def test_what_came_before_a_cancellation_is_written() -> None:
    disk = Disk()
    disk.open.clear()
    ready = asyncio.Event()

    async def receive() -> None:
        async with BlockWriter(disk.write) as writer:
            for chunk in (HALF, HALF, b"after"):
                await writer.take(chunk)
            ready.set()
            await asyncio.Event().wait()

    receiving = asyncio.create_task(receive())
    await ready.wait()
    receiving.cancel()
    disk.open.set()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert disk.blocks == [HALF + HALF, b"after"]


async def test_after_a_failed_write_nothing_more_is_written() -> None:
    """It would lie at the wrong place."""
    disk = Disk()
    disk.fails = True

    async def receive() -> None:
        async with BlockWriter(disk.write) as writer:
            await writer.take(HALF + HALF)
            await disk.tried.wait()
            disk.fails = False
            await writer.take(b"after")
            await writer.take(HALF + HALF)

    with pytest.raises(OSError, match="no room"):
        await receive()
    assert disk.blocks == []


async def test_who_is_cancelled_on_leaving_leaves_after_the_last_write() -> None:
    """The file may be closed then, and its descriptor be another file's."""
    disk = Disk()
    disk.open.clear()

    async def receive() -> None:
        async with BlockWriter(disk.write) as writer:
            for chunk in (HALF, HALF, b"after"):
                await writer.take(chunk)

    receiving = asyncio.create_task(receive())
    await asyncio.wait([receiving], timeout=0.01)
    receiving.cancel()
    await asyncio.wait([receiving], timeout=0.01)
    assert not receiving.done()
    disk.open.set()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert disk.blocks == [HALF + HALF, b"after"]


async def test_a_write_that_fails_after_a_cancellation_does_not_replace_it() -> None:
    disk = Disk()
    disk.open.clear()
    disk.fails = True

    async def receive() -> None:
        async with BlockWriter(disk.write) as writer:
            await writer.take(b"last")

    receiving = asyncio.create_task(receive())
    await asyncio.wait([receiving], timeout=0.01)
    receiving.cancel()
    await asyncio.sleep(0)
    disk.open.set()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert disk.blocks == []
