"""A TCP proxy on loopback that cuts connections after a number of bytes: networks break in the middle of things."""

import asyncio
import contextlib

from harness.proxy import READ_BYTES, Proxy


class CuttingProxy(Proxy):
    """`cut_up` and `cut_down` are how many more bytes may go to and from the server before one connection is cut,
    None for as many as come."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.cut_up: int | None = None
        self.cut_down: int | None = None
        self.cuts_count = 0

    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        return await self._pump(reader, writer, "cut_up")

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        return await self._pump(reader, writer, "cut_down")

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: str) -> bool:
        """Carry bytes; True when the budget ran out, which ends the connection and the budget."""
        with contextlib.suppress(ConnectionError):
            while content := await reader.read(READ_BYTES):
                left: int | None = getattr(self, budget)
                writer.write(content if left is None else content[:left])
                await writer.drain()
                if left is not None and len(content) >= left:
                    setattr(self, budget, None)
                    self.cuts_count += 1
                    return True
                if left is not None:
                    setattr(self, budget, left - len(content))
        return False
