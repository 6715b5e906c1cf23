"""The plumbing of TCP proxies on loopback: every connection has a pump a direction and ends with the first of them."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Final, Self

READ_BYTES: Final = 16 << 10


class Proxy(ABC):
    """Stands before `target`; what is done to the bytes is the subclass's business."""

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self.address = ""

    @abstractmethod
    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Carry what the client sends; True when the connection has to break off."""

    @abstractmethod
    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Carry what the server sends; True when the connection has to break off."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
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
            asyncio.create_task(self.up(reader, server_writer)),
            asyncio.create_task(self.down(server_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            breaks_off = any(not pump.cancelled() and pump.exception() is None and pump.result() for pump in pumps)
            for end in (writer, server_writer):
                if breaks_off:
                    end.transport.abort()
                end.close()
                with contextlib.suppress(ConnectionError):
                    await end.wait_closed()
