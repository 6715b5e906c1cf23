"""A TCP proxy on loopback that behaves like bad networks do, by a seed: it cuts, stalls, corrupts and slows down."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import NamedTuple

READ_BYTES = 16 << 10
SLOW_PAUSE_S = 0.002
UNHARMED_BYTES = 4096
"""The beginning of a connection is left as it is: what a manifest would become is another test's business."""


class Fault(NamedTuple):
    """What happens to a connection once so many bytes have come down it."""

    kind: str
    after_bytes: int


class FaultProxy:
    """`likelihood` of a fault for each connection; `kinds` are `cut`, `stall`, `corrupt` and `slow`."""

    def __init__(
        self,
        target: str,
        *,
        seed: int,
        kinds: tuple[str, ...] = ("cut", "stall", "corrupt", "slow"),
        likelihood: float = 0.5,
        within_bytes: int,
    ) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._random = random.Random(seed)
        self._kinds = kinds
        self._within_bytes = within_bytes
        self.likelihood = likelihood
        self.address = ""
        self.faults: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FaultProxy"]:
        async with asyncio.TaskGroup() as connections:

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                connections.create_task(self._connection(reader, writer))

            server = await asyncio.start_server(connected, "127.0.0.1", 0)
            self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                yield self
            finally:
                server.close()

    def _draw(self) -> Fault | None:
        if self._random.random() >= self.likelihood:
            return None
        return Fault(self._random.choice(self._kinds), self._random.randrange(UNHARMED_BYTES, self._within_bytes))

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        pumps = [
            asyncio.create_task(_pump(reader, server_writer)),
            asyncio.create_task(self._down(server_reader, writer, self._draw())),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            for end in (writer, server_writer):
                end.transport.abort()
                with contextlib.suppress(ConnectionError):
                    await end.wait_closed()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
        """Carry what the server sends, until the connection's fault is due."""
        carried_bytes = 0
        with contextlib.suppress(ConnectionError):
            while content := await reader.read(READ_BYTES):
                if fault is not None and fault.after_bytes < carried_bytes + len(content):
                    place = max(fault.after_bytes - carried_bytes, 0)
                    self.faults[fault.kind] += 1
                    if fault.kind == "cut":
                        writer.write(content[:place])
                        await writer.drain()
                        return
                    if fault.kind == "stall":
                        await asyncio.Event().wait()
                    if fault.kind == "slow":
                        await asyncio.sleep(SLOW_PAUSE_S)
                    if fault.kind == "corrupt":
                        content = content[:place] + bytes([content[place] ^ 0x20]) + content[place + 1 :]
                        fault = None
                carried_bytes += len(content)
                writer.write(content)
                await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while content := await reader.read(READ_BYTES):
            writer.write(content)
            await writer.drain()
