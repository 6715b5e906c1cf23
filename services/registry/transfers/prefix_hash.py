"""The digest of a blob while it is being downloaded: computed right behind what has arrived without a gap."""

import asyncio
import hashlib
from typing import Final

from services.registry.publishing import on_thread
from services.registry.transfers.partial_files import PartialFile
from shared.digest import Digest

BUFFER_BYTES: Final = 1 << 20
STEP_BYTES: Final = 16 << 20
"""How much one trip to a thread reads: enough that the trip does not count, little enough to be cancelled soon."""


class PrefixHash:
    """Reads back what was just written, which the kernel still has in memory, whichever part it belongs to."""

    def __init__(self, file: PartialFile) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._hashed_bytes = 0
        self._grown = asyncio.Event()

    def grown(self) -> None:
        """The file may have a longer beginning now."""
        self._grown.set()

    async def run(self) -> Digest:
        """Follow until the whole blob was read."""
        buffer = bytearray(BUFFER_BYTES)
        while self._hashed_bytes < self._file.size_bytes:
            self._grown.clear()
            end = min(self._file.prefix_bytes, self._hashed_bytes + STEP_BYTES)
            if end > self._hashed_bytes:
                await on_thread(self._read, memoryview(buffer), end)
            else:
                await self._grown.wait()
        return Digest("sha256:" + self._hash.hexdigest())

    def _read(self, buffer: memoryview, end: int) -> None:
        while self._hashed_bytes < end:
            count = self._file.read_into(buffer[: end - self._hashed_bytes], self._hashed_bytes)
            assert count, "the file is as long as the blob"
            self._hash.update(buffer[:count])
            self._hashed_bytes += count
