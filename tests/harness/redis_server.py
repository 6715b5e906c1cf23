"""A real Valkey server on a loopback port, started with the options a test chooses."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from harness.cluster import free_port
from harness.valkey import server_binary


class RedisServer:
    """A running server; it may be stopped before the block ends."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.communicate()


@contextlib.asynccontextmanager
async def running_redis(folder: Path, *options: str) -> AsyncIterator[RedisServer]:
    """Run a server for the length of the block, its data below `folder`."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        server_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--dir", tempfile.mkdtemp(dir=folder), *options, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    server = RedisServer(process, port)
    try:
        async with asyncio.timeout(10):
            async for line in process.stdout:
                if b"ready to accept connections" in line.lower():
                    break
        assert process.returncode is None, "the server ended"
        yield server
    finally:
        await server.stop()
