"""A TCP proxy on loopback that cuts connections after a number of bytes: networks break in the middle of things."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

READ_BYTES = 16 << 10


class CuttingProxy:
    """`cut_up` and `cut_down` are how many more bytes may go to and from the server before one connection is cut,
    None for as many as come."""

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self.address = ""
        self.cut_up: int | None = None
        self.cut_down: int | None = None
        self.cuts_count = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["CuttingProxy"]:
        async with asyncio.TaskGroup() as connections:

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                connections.create_task(self._connection(reader, writer))

            server = await asyncio.start_server(connected, "127.0.0.1", 0)
            self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                yield self
            finally:
                server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both directions until either ends; then neither goes on."""
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        pumps = [
            asyncio.create_task(self._pump(reader, server_writer, "cut_up")),
            asyncio.create_task(self._pump(server_reader, writer, "cut_down")),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            for end in (writer, server_writer):
                if self._was_cut(pumps):
                    end.transport.abort()
                end.close()
                with contextlib.suppress(ConnectionError):
                    await end.wait_closed()

    @staticmethod
    def _was_cut(pumps: list["asyncio.Task[bool]"]) -> bool:
        return any(not pump.cancelled() and pump.exception() is None and pump.result() for pump in pumps)

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
