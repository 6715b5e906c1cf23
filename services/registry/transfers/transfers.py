"""The process's pulls and pushes: one for each model and kind, however many want it.

    wanted ──► recorded in Redis ──► waiting for a place ──► running ──► ended ──► forgotten
                  └── taken up again by `resume` when a process died on the way

The work belongs to nobody's request: whoever follows may leave. What is recorded goes on after a restart, so stopping
the process forgets nothing; only success, failure and cancelling do.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final, Protocol

import structlog

from services.registry import metrics
from services.registry.transfers.progress import Progress
from services.registry.transfers.transfer import Transfer, TransferKind, transfer_id
from shared.errors import (
    CorralError,
    DownloadCorrupt,
    InternalError,
    StoreFull,
    TransferCancelled,
    Unavailable,
    UpstreamFailed,
)
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")

TRANSFERS_MAX: Final = 256
"""Waiting and running ones together."""

RETRY_AFTER_S: Final = 10.0

WAITING: Final = Progress(status="waiting for other transfers")
"""Told before Ollama's own first event when there is no place; clients show any status."""

TROUBLE: Final = (UpstreamFailed, DownloadCorrupt, StoreFull, InternalError)
"""Ends that an operator is called for; the others are somebody's mistake or wish. Each is counted from zero, so that
the first one is an increase."""


class Records(Protocol):
    """Where it is kept, beyond this process's life, which transfers are wanted."""

    async def remember(self, transfer: Transfer, *, insecure: bool) -> None:
        """Raises: Unavailable."""

    async def forget(self, transfer_id: str) -> bool:
        """Whether there was a record; False also when that cannot be known now.

        A record that stays is harmless: the transfer is repeated and finds nothing to do.
        """


class Work(Protocol):
    """How transfers of one kind are done."""

    def __call__(self, name: ModelName, *, insecure: bool, report: Transfer) -> Awaitable[None]: ...


class Transfers:
    def __init__(self, records: Records, work: Mapping[TransferKind, Work], *, running_max: int) -> None:
        self._records = records
        self._work = work
        self._places = asyncio.Semaphore(running_max)
        self._transfers: dict[str, Transfer] = {}
        self._working: dict[str, asyncio.Task[None]] = {}  # what may be cancelled
        self._lives: dict[str, asyncio.Task[None]] = {}  # what follows each of them to its end, and is never cancelled
        self._cancelled: set[str] = set()
        self._changing = asyncio.Lock()
        self._is_closing = False
        for kind in work:
            for trouble in TROUBLE:
                metrics.TRANSFERS.labels(kind=kind, outcome=trouble.code)

    async def pull(self, name: ModelName, *, insecure: bool = False, only_if_absent: bool = False) -> Transfer:
        """Join the pull of that model or start it. If all want it `only_if_absent`, it replaces no model at its end.

        Raises: Unavailable when it cannot be recorded, or there are too many already.
        """
        return await self._join(TransferKind.PULL, name, insecure=insecure, only_if_absent=only_if_absent)

    async def push(self, name: ModelName, *, insecure: bool = False) -> Transfer:
        """Join the push of that model or start it.

        Raises: Unavailable when it cannot be recorded, or there are too many already.
        """
        return await self._join(TransferKind.PUSH, name, insecure=insecure)

    def running(self) -> list[Transfer]:
        """All that have not ended, the oldest first."""
        return [transfer for transfer in self._transfers.values() if not transfer.has_ended]

    async def cancel(self, transfer_id: str) -> bool:
        """End a transfer for everybody; what has arrived stays for another time. Whether there was one."""
        life = self._lives.get(transfer_id)
        if life is None:
            return await self._records.forget(transfer_id)
        if not self._is_closing and transfer_id not in self._cancelled:
            # Once only: a second cancellation would reach the clean-up of the first.
            self._cancelled.add(transfer_id)
            self._working[transfer_id].cancel()
        await asyncio.wait([life])
        return True

    async def resume(
        self, kind: TransferKind, name: ModelName, *, insecure: bool, only_if_absent: bool = False
    ) -> None:
        """Carry out a recorded transfer, or join it when it is under way. Returns at its end, however it ended."""
        async with self._changing:
            transfer = self._present(kind, name, insecure=insecure)
            if transfer is None:
                transfer = Transfer(kind, name, insecure=insecure, only_if_absent=only_if_absent)
                self._start(transfer, insecure=insecure)
            life = self._lives[transfer.id]
        await asyncio.wait([life])

    async def close(self) -> None:
        """Stop what runs; it stays recorded, and followers are told."""
        self._is_closing = True
        for being_done, work in self._working.items():
            if being_done not in self._cancelled:
                work.cancel()
        if self._lives:
            await asyncio.wait(self._lives.values())

    async def _join(
        self, kind: TransferKind, name: ModelName, *, insecure: bool, only_if_absent: bool = False
    ) -> Transfer:
        async with self._changing:
            if present := self._present(kind, name, insecure=insecure):
                present.only_if_absent &= only_if_absent
                return present
            if self._is_closing:
                raise _stopping(kind)
            if len(self._transfers) >= TRANSFERS_MAX:
                raise Unavailable("too many pulls and pushes are waiting", retry_after_s=RETRY_AFTER_S)
            transfer = Transfer(kind, name, insecure=insecure, only_if_absent=only_if_absent)
            await self._records.remember(transfer, insecure=insecure)
            return self._start(transfer, insecure=insecure)

    def _present(self, kind: TransferKind, name: ModelName, *, insecure: bool) -> Transfer | None:
        transfer = self._transfers.get(transfer_id(kind, name, insecure=insecure))
        return None if transfer is None or transfer.has_ended else transfer

    def _start(self, transfer: Transfer, *, insecure: bool) -> Transfer:
        self._transfers[transfer.id] = transfer
        work = asyncio.create_task(self._carry_out(transfer, insecure=insecure))
        self._working[transfer.id] = work
        self._lives[transfer.id] = asyncio.create_task(self._run(transfer, work))
        return transfer

    async def _run(self, transfer: Transfer, work: asyncio.Task[None]) -> None:
        """The transfer's life. Whatever happens, its followers are told an end."""
        error: CorralError | None = _stopping(transfer.kind)
        try:
            await asyncio.wait([work])
            error = self._error_of(transfer, work)
            _tell_operators(transfer, error)
            if error is None or not self._is_stopping(transfer):
                await self._records.forget(transfer.id)
        finally:
            self._transfers.pop(transfer.id)
            self._working.pop(transfer.id)
            self._lives.pop(transfer.id)
            self._cancelled.discard(transfer.id)
            transfer.end(error)

    async def _carry_out(self, transfer: Transfer, *, insecure: bool) -> None:
        if self._places.locked():
            transfer.tell(WAITING)
        async with self._places:
            log.info("transfer_started", kind=transfer.kind, model=transfer.name.full)
            await self._work[transfer.kind](transfer.name, insecure=insecure, report=transfer)

    def _error_of(self, transfer: Transfer, work: asyncio.Task[None]) -> CorralError | None:
        """What its followers are told of how the work ended."""
        try:
            work.result()
        except CorralError as error:
            return error
        except asyncio.CancelledError:
            if self._is_stopping(transfer):
                return _stopping(transfer.kind)
            return TransferCancelled(f"the {transfer.kind} was cancelled")
        except Exception:
            log.exception("transfer_failed", kind=transfer.kind, model=transfer.name.full)
            return InternalError("internal error; the server's log has the details")
        return None

    def _is_stopping(self, transfer: Transfer) -> bool:
        return self._is_closing and transfer.id not in self._cancelled


def _stopping(kind: TransferKind) -> Unavailable:
    return Unavailable(f"the registry is stopping; the {kind} goes on when it is back", retry_after_s=RETRY_AFTER_S)


def _tell_operators(transfer: Transfer, error: CorralError | None) -> None:
    outcome = "done" if error is None else error.code
    metrics.TRANSFERS.labels(kind=transfer.kind, outcome=outcome).inc()
    log.info(
        "transfer_ended",
        kind=transfer.kind,
        model=transfer.name.full,
        outcome=outcome,
        reason="" if error is None else error.message,
    )
