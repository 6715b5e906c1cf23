"""The real worker as a process of its own, and the runners below it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from fakes.polling import until


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that only waits for its parent to notice its end does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class WorkerService:
    """`python -m services.worker`; `settings` are fields of its Settings in text."""

    def __init__(self, redis_url: str, models_dir: Path, folder: Path, **settings: str) -> None:
        self.log_path = folder / "worker.log"
        values = {
            "redis_url": redis_url,
            "models_dir": str(models_dir),
            "cache_dir": str(folder / "cache"),
            "registry_url": "http://127.0.0.1:1",  # nothing is fetched: the store is on this machine
            "port": "0",
            "threads": "1",
            "drain_s": "20",
            **settings,
        }
        self._environ = {f"CORRAL_WORKER_{name.upper()}": value for name, value in values.items()}
        self._process: asyncio.subprocess.Process | None = None
        self.worker_id = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["WorkerService"]:
        """Run for the length of the block; afterwards neither it nor a runner is left."""
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.worker", env={**os.environ, **self._environ}, stdout=log, stderr=log
            )
        try:
            yield self
        finally:
            runners = self.runners()
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            await until(lambda: not any(map(is_alive, runners)))

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def runners(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """As the kernel does it: no goodbye."""
        assert self._process is not None
        self._process.kill()

    def terminate(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    async def exit_code(self, *, within_s: float = 30.0) -> int:
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), within_s)
