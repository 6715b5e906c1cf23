"""One child process: started so that it cannot outlive the supervisor, stopped within a bound."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from corral.up.plan import Service

LOG_TAIL_LINES: Final = 15
LOG_TAIL_BYTES: Final = 16_384
LOG_BYTES_MAX: Final = 32 << 20
_PR_SET_PDEATHSIG: Final = 1


def _die_with_parent() -> Callable[[], None] | None:
    """What a child does between fork and exec: ask the kernel to end it when the supervisor ends, however it ends.

    Other systems have nothing like it. The kernel watches the thread that forks, so that must be the main thread.
    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # the supervisor was gone before the kernel knew

    return before_exec


class Child:
    """A running service; its output goes to its log file."""

    def __init__(self, service: Service, process: asyncio.subprocess.Process, log: Path) -> None:
        self.service = service
        self.log = log
        self._process = process
        self._is_swept = False
        self.started_s = asyncio.get_running_loop().time()

    @classmethod
    async def start(cls, service: Service, logs: Path) -> "Child":
        """Raises: OSError when the program cannot be run."""
        log = logs / f"{service.name}.log"
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.old"))
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *service.argv,
                env=dict(service.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,  # a terminal's Ctrl-C reaches the supervisor alone
                preexec_fn=_die_with_parent(),
            )
        return cls(service, process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    async def wait(self) -> int:
        return await self._process.wait()

    async def stop(self) -> bool:
        """Ask it to leave, wait, and kill what is left; whether it left by itself."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), self.service.stop_s)
            return True
        except TimeoutError:
            return False
        finally:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """End it and whatever it started in its process group, at once.

        Once it has ended this acts a single time more, because the group's number may then become another's.
        """
        if self._is_swept:
            return
        self._is_swept = self.has_ended
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def log_tail(self) -> str:
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def outcome(returncode: int) -> str:
    """An exit code in words."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"signal {signal.Signals(-returncode).name}"
    except ValueError:
        return f"signal {-returncode}"
