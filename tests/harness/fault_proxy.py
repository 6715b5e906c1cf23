"""A TCP proxy on loopback that behaves like bad networks do, by a seed: it cuts, stalls, corrupts and slows down."""

import asyncio
import contextlib
import random
from collections import Counter
from typing import NamedTuple

from harness.proxy import READ_BYTES, Proxy

SLOW_PAUSE_S = 0.002
UNHARMED_BYTES = 4096
"""The beginning of a connection is left as it is: what a manifest would become is another test's business."""


class Fault(NamedTuple):
    """What happens to a connection once so many bytes have come down it."""

    kind: str
    after_bytes: int


class FaultProxy(Proxy):
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
        super().__init__(target)
        self._random = random.Random(seed)
        self._kinds = kinds
        self._within_bytes = within_bytes
        self.likelihood = likelihood
        self.faults: Counter[str] = Counter()

    def _draw(self) -> Fault | None:
        if self._random.random() >= self.likelihood:
            return None
        return Fault(self._random.choice(self._kinds), self._random.randrange(UNHARMED_BYTES, self._within_bytes))

    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        with contextlib.suppress(ConnectionError):
            while content := await reader.read(READ_BYTES):
                writer.write(content)
                await writer.drain()
        return True

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """A connection always ends abruptly here, as its other end may not have had its turn."""
        await self._carry(reader, writer, self._draw())
        return True

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None) -> None:
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
