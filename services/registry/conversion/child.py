"""A conversion child's life: it bounds itself, does its one job, reports, and ends. It cannot outlive its parent."""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec

from services.registry.conversion.messages import Failed, Finished, Job, Progressed, Report, Work
from shared.errors import CorralError, InternalError

NICENESS: Final = 10
"""Conversions wait for whoever serves requests on the same machine."""

REASON_CHARACTERS_MAX: Final = 2000
"""Of a failure's message; llama.cpp's can hold whole keys of a hostile file."""

SHARE_STEP: Final = 0.005
"""Progress is reported when this much more is done."""

_PR_SET_PDEATHSIG: Final = 1


def serve(do: Callable[[Work, Callable[[float], None]], None]) -> None:
    """Read the job from stdin, do it, and tell stdout how it went."""
    # Whatever a library prints must not get between the reports.
    reports = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    _bind_to_parent(job.parent_pid)
    _limit(job.memory_bytes_max)
    _send(reports, _outcome(job, do, _Progress(reports).tell))


def _outcome(
    job: Job, do: Callable[[Work, Callable[[float], None]], None], tell: Callable[[float], None]
) -> Finished | Failed:
    try:
        do(job.work, tell)
    except CorralError as error:
        info = error.info()
        return Failed(msgspec.structs.replace(info, message=info.message[:REASON_CHARACTERS_MAX]))
    except MemoryError:
        return Failed(InternalError(f"not enough memory: {job.memory_bytes_max} bytes are allowed").info())
    except OSError as error:
        return Failed(InternalError(error.strerror or str(error)).info())
    return Finished()


class _Progress:
    """Turns many small advances into few reports."""

    def __init__(self, reports: BinaryIO) -> None:
        self._reports = reports
        self._told_share = 0.0

    def tell(self, share: float) -> None:
        if share - self._told_share >= SHARE_STEP:
            self._told_share = share
            _send(self._reports, Progressed(share))


def _send(reports: BinaryIO, report: Report) -> None:
    reports.write(msgspec.json.encode(report) + b"\n")


def _bind_to_parent(parent_pid: int) -> None:
    """Ask the kernel to end this process when its parent ends, however that ends.

    Source: prctl(2), PR_SET_PDEATHSIG. Other systems have nothing like it; there the next report fails instead.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit("the parent was gone before the work began")


def _limit(memory_bytes_max: int) -> None:
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Data and not address space: the files are mapped, and they may be larger than any memory.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes_max, memory_bytes_max))
