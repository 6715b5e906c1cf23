"""A runner as its worker sees it: start it, send it sequences, hear what its steps bring, notice its end."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable

import structlog

from services.worker.engine.sequence import NewSequence
from services.worker.runner.messages import (
    LENGTH,
    Cancel,
    Command,
    Open,
    Opened,
    OpenFailed,
    Report,
    SetThreads,
    StepDone,
    packed,
    report_decoder,
)
from shared.errors import ModelLoadFailed, RemoteError

log = structlog.get_logger("corral.worker")

PIPE_BUFFER_BYTES = 1 << 20


class RunnerProcess:
    """One child process. `on_step` gets every step's report; `on_exit` is called once, with a reason, if it dies."""

    def __init__(self, on_step: Callable[[StepDone], None], on_exit: Callable[[str], None]) -> None:
        self._on_step = on_step
        self._on_exit = on_exit
        self._closing = False
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def open(self, command: Open, *, timeout_s: float) -> Opened:
        """Start the process and have it open the model.

        Raises: ModelLoadFailed (the process is gone), RemoteError with what the runner itself reported.
        """
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.worker.runner", str(theirs.fileno()), pass_fds=[theirs.fileno()]
            )
        finally:
            theirs.close()
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=PIPE_BUFFER_BYTES)
        self._send(command)
        try:
            async with asyncio.timeout(timeout_s):
                report = await self._next_report()
        except TimeoutError:
            await self.close()
            raise ModelLoadFailed(f"timed out waiting for the model to load after {timeout_s:.0f} s") from None
        except BaseException:
            await self.close()
            raise
        match report:
            case Opened():
                self._listening = asyncio.create_task(self._listen())
                return report
            case OpenFailed(error):
                await self.close()
                raise RemoteError(error)
        code = await self._process.wait()
        await self.close()
        raise ModelLoadFailed(f"the model runner ended while loading ({_ending(code)})")

    def admit(self, new: NewSequence) -> None:
        self._send(new)

    def cancel(self, sequence_id: int) -> None:
        self._send(Cancel(sequence_id))

    def set_threads(self, n_threads: int) -> None:
        self._send(SetThreads(n_threads))

    def _send(self, command: Command) -> None:
        assert self._writer is not None
        if not self._writer.is_closing():
            self._writer.write(packed(command))

    async def close(self) -> None:
        """End the process, whatever it is doing, and wait for it."""
        self._closing = True
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _next_report(self) -> Report | None:
        assert self._reader is not None
        try:
            header = await self._reader.readexactly(LENGTH.size)
            return report_decoder.decode(await self._reader.readexactly(LENGTH.unpack(header)[0]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def _listen(self) -> None:
        while (report := await self._next_report()) is not None:
            assert isinstance(report, StepDone)
            self._on_step(report)
        assert self._process is not None
        code = await self._process.wait()
        if not self._closing:
            self._on_exit(_ending(code))


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"
