"""One pull or push as everybody sees it: what it has told so far, how it ended, and any number of followers."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from enum import StrEnum
from typing import Final

import msgspec

from services.registry.transfers.progress import Progress
from shared.digest import Digest
from shared.errors import BlobUnknown, CorralError
from shared.model_name import ModelName

EVENT_INTERVAL_S: Final = 0.06
"""Followers hear of a growing blob this often, as Ollama's clients do."""

QUIET_S_MAX: Final = 5.0
"""After this long without news the last event is told again: proxies see that the answer goes on, and we see in time
that a client has gone."""


class TransferKind(StrEnum):
    PULL = "pull"
    PUSH = "push"


def transfer_id(kind: TransferKind, name: ModelName, *, insecure: bool = False) -> str:
    """The same for everybody who wants the same; fits into a path.

    Who asks for https does not share what comes over plain http.
    """
    ending = "-http" if insecure else ""
    return f"{kind}-{hashlib.sha256(name.folded.encode()).hexdigest()[:16]}{ending}"


class _Line(msgspec.Struct):
    """An event and when it came: the number of the event among all."""

    progress: Progress
    number: int


class Transfer:
    """The first half is for whoever does the work, the second for whoever waits for it.

    A blob's newer event takes the place of its older one, so what is kept is one line for each step and blob: enough
    for a follower that comes late, and all that one gets who is slow.
    """

    def __init__(
        self, kind: TransferKind, name: ModelName, *, insecure: bool = False, only_if_absent: bool = False
    ) -> None:
        self.id = transfer_id(kind, name, insecure=insecure)
        self.kind = kind
        self.name = name
        self.only_if_absent = only_if_absent
        self._lines: list[_Line] = []
        self._line_of_blob: dict[Digest, _Line] = {}
        self._told_count = 0
        self._manifest: bytes | None = None
        self._published: set[Digest] = set()
        self._error: CorralError | None = None
        self._has_ended = False
        self._news = asyncio.Event()
        self._due: asyncio.TimerHandle | None = None

    def tell(self, progress: Progress) -> None:
        self._told_count += 1
        line = self._line_of_blob.get(Digest(progress.digest))
        if line is not None:
            line.progress, line.number = progress, self._told_count
            if self._due is None:
                self._due = asyncio.get_running_loop().call_later(EVENT_INTERVAL_S, self._wake)
            return
        line = _Line(progress, self._told_count)
        self._lines.append(line)
        if progress.digest:
            self._line_of_blob[Digest(progress.digest)] = line
        self._wake()

    def manifest_known(self, content: bytes) -> None:
        self._manifest = content
        self._wake()

    def blob_published(self, digest: Digest) -> None:
        self._published.add(digest)
        self._wake()

    def end(self, error: CorralError | None) -> None:
        self._has_ended = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._news.set()
        self._news = asyncio.Event()

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    @property
    def state(self) -> Progress:
        """The present status, and the bytes of all blobs told of so far."""
        blobs = [line.progress for line in self._line_of_blob.values()]
        return Progress(
            status=self._lines[-1].progress.status if self._lines else "waiting",
            total=sum(blob.total for blob in blobs),
            completed=sum(blob.completed for blob in blobs),
        )

    async def follow(self) -> AsyncGenerator[Progress]:
        """Its events from the present state on, until success. Leaving does not stop it.

        Raises: the CorralError that ended it.
        """
        seen_count = 0
        while True:
            news, told_count = self._news, self._told_count
            for progress in [line.progress for line in self._lines if line.number > seen_count]:
                yield progress
            seen_count = told_count
            if news is not self._news:
                continue  # more came while these were taken
            if self._has_ended:
                self._raise_error()
                return
            if not await _heard(news) and self._lines:
                yield self._lines[-1].progress

    async def wait(self) -> None:
        """Until success.

        Raises: the CorralError that ended it.
        """
        await self._until(lambda: False)

    async def manifest(self) -> bytes:
        """A pull's manifest, as soon as it is known.

        Raises: the CorralError that ended it before.
        """
        await self._until(lambda: self._manifest is not None)
        assert self._manifest is not None, "a pull that succeeded had a manifest"
        return self._manifest

    async def blob(self, digest: Digest) -> None:
        """Return when a pull's blob is in the store.

        Raises: the CorralError that ended it before, BlobUnknown when the model has no such blob.
        """
        await self._until(lambda: digest in self._published)
        if digest not in self._published:
            raise BlobUnknown(f"blob {digest} is not part of {self.name.short}")

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Return when it holds, or at the end."""
        while not condition():
            if self._has_ended:
                self._raise_error()
                return
            await self._news.wait()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)


async def _heard(news: asyncio.Event) -> bool:
    """Whether there was news before it was quiet for too long."""
    try:
        async with asyncio.timeout(QUIET_S_MAX):
            await news.wait()
    except TimeoutError:
        return False
    return True
