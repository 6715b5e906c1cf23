"""The real registry as a process of its own, which tests may kill."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from harness.cluster import free_port

READY_S = 30.0


class RegistryService:
    """`python -m services.registry`; `settings` are fields of its Settings in text. It may be started again."""

    def __init__(self, redis_url: str, folder: Path, **settings: str) -> None:
        self.models_dir = folder / "models"
        self.log_path = folder / "registry.log"
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        values = {"redis_url": redis_url, "models_dir": str(self.models_dir), "port": str(port), **settings}
        self._environ = {f"CORRAL_REGISTRY_{name.upper()}": value for name, value in values.items()}
        self._process: asyncio.subprocess.Process | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["RegistryService"]:
        """Run until the block ends or the process is ended."""
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.registry", env={**os.environ, **self._environ}, stdout=log, stderr=log
            )
        try:
            await self._until_ready()
            yield self
        finally:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def kill(self) -> None:
        """As the kernel does it: no goodbye."""
        assert self._process is not None
        self._process.kill()

    async def terminate(self) -> int:
        """Ask it to leave; gives the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self._process.wait()

    async def _until_ready(self) -> None:
        assert self._process is not None
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as session:
            while True:
                assert self._process.returncode is None, self.log
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/healthz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.02)
