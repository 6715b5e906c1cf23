"""One conversion child as its parent sees it: started, listened to, ended whatever happens."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Final

import msgspec

from services.registry.conversion.messages import Failed, Finished, Job, Progressed, Report, Work
from shared.errors import InternalError, Kind, ModelFileInvalid

LAST_WORDS_BYTES_MAX: Final = 2048
"""How much of what a child wrote to stderr is kept for the error message."""

_READ_BYTES: Final = 65_536
_BLAMED_ON_THE_FILE: Final = frozenset({signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV})
"""Deaths that reading a broken file can bring. SIGKILL is not one: that is the kernel or a person."""

_decoder: Final = msgspec.json.Decoder(Report)


async def run_child(work: Work, *, memory_bytes_max: int, stall_s: float, tell: Callable[[float], None]) -> None:
    """Have a child do the work, telling the share that is done. Leaving early ends the child.

    Raises: ModelFileInvalid when the files are at fault, InternalError when anything else is; a child that reports
        no progress for `stall_s` seconds is ended too.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.registry.conversion", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert process.stderr is not None
    last_words = asyncio.create_task(_tail(process.stderr))
    try:
        job = Job(work=work, parent_pid=os.getpid(), memory_bytes_max=memory_bytes_max)
        await _send(process, msgspec.json.encode(job))
        last_report = await _listen(process, stall_s, tell)
        code = await process.wait()
    except TimeoutError:
        raise InternalError(f"the conversion stood still for {stall_s:.0f} s and was stopped") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        said = await last_words
    _judge(last_report, code, said)


async def _send(process: Process, content: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its exit says why
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()


async def _listen(process: Process, stall_s: float, tell: Callable[[float], None]) -> Report | None:
    """The child's last report; None when it made none.

    Raises: TimeoutError.
    """
    assert process.stdout is not None
    last: Report | None = None
    now_s = asyncio.get_running_loop().time
    async with asyncio.timeout(stall_s) as deadline:
        async for line in process.stdout:
            last = _decoder.decode(line)
            if isinstance(last, Progressed):
                tell(last.share)
            deadline.reschedule(now_s() + stall_s)
    return last


async def _tail(stream: asyncio.StreamReader) -> str:
    """The end of what the stream brings, until it closes."""
    tail = b""
    while content := await stream.read(_READ_BYTES):
        tail = (tail + content)[-LAST_WORDS_BYTES_MAX:]
    return " ".join(tail.decode(errors="replace").split())


def _judge(last_report: Report | None, code: int, last_words: str) -> None:
    """Raise what a child's end means; a child that finished raises nothing."""
    if isinstance(last_report, Failed):
        error = last_report.error
        raise ModelFileInvalid(error.message) if error.kind is Kind.INVALID else InternalError(error.message)
    if code == 0 and isinstance(last_report, Finished):
        return
    ending = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
    message = f"the conversion {ending}" + (f": {last_words}" if last_words else "")
    raise ModelFileInvalid(message) if -code in _BLAMED_ON_THE_FILE else InternalError(message)
