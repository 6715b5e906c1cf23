"""A runner as its worker sees it: start it, send it sequences, hear what its steps bring, notice its end."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable

import structlog

from services.worker.engine.inputs import NewEmbedding
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


class _Pipe(asyncio.Protocol):
    """Cuts what the runner sends into reports. Called from the event loop with no task in between: this runs at every
    step of every model."""

    def __init__(self, on_report: Callable[[Report], None], on_closed: Callable[[], None]) -> None:
        self._on_report = on_report
        self._on_closed = on_closed
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        self._received += data
        start = 0
        while len(self._received) - start >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._received, start)
            end = start + LENGTH.size + size
            if len(self._received) < end:
                break
            self._on_report(report_decoder.decode(bytes(self._received[start + LENGTH.size : end])))
            start = end
        del self._received[:start]

    def connection_lost(self, _cause: Exception | None) -> None:
        self._on_closed()


class RunnerProcess:
    """One child process. `on_step` gets every step's report; `on_exit` is called once, with a reason, if it dies."""

    def __init__(self, on_step: Callable[[StepDone], None], on_exit: Callable[[str], None]) -> None:
        self._on_step = on_step
        self._on_exit = on_exit
        self._closing = False
        self._process: asyncio.subprocess.Process | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._first_report: asyncio.Future[Report | None] = asyncio.get_running_loop().create_future()
        self._burying: asyncio.Task[None] | None = None

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
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            self._transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: _Pipe(self._reported, self._closed), sock=ours
            )
            self._send(command)
            async with asyncio.timeout(timeout_s):
                report = await self._first_report
                if isinstance(report, Opened):
                    return report
                code = await self._process.wait()
        except TimeoutError:
            await self.close()
            raise ModelLoadFailed(f"timed out waiting for the model to load after {timeout_s:.0f} s") from None
        except BaseException:
            await self.close()
            raise
        await self.close()
        if isinstance(report, OpenFailed):
            raise RemoteError(report.error)
        raise ModelLoadFailed(f"the model runner ended while loading ({_ending(code)})")

    def admit(self, new: NewSequence | NewEmbedding) -> None:
        self._send(new)

    def cancel(self, sequence_id: int) -> None:
        self._send(Cancel(sequence_id))

    def set_threads(self, n_threads: int) -> None:
        self._send(SetThreads(n_threads))

    def _send(self, command: Command) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(packed(command))

    async def close(self) -> None:
        """End the process, whatever it is doing, and wait for it."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._burying is not None and self._burying is not asyncio.current_task():
            await asyncio.wait([self._burying])

    def _reported(self, report: Report) -> None:
        if isinstance(report, StepDone):
            self._on_step(report)
        else:
            self._first_report.set_result(report)

    def _closed(self) -> None:
        if not self._first_report.done():
            self._first_report.set_result(None)
        elif not self._closing:
            self._burying = asyncio.get_running_loop().create_task(self._bury())

    async def _bury(self) -> None:
        assert self._process is not None
        code = await self._process.wait()
        if not self._closing:
            self._on_exit(_ending(code))


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"
