"""The models as a whole: changes happen one at a time, and only here is it decided when blobs may go."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

import structlog

from services.registry import collect
from services.registry.blob_folder import total_bytes
from services.registry.blob_store import BlobStore
from services.registry.manifest_store import ManifestStore
from services.registry.promises import Promises, repository_key
from services.registry.publishing import on_thread, undivided
from shared.clock import Clock, SystemClock
from shared.digest import Digest
from shared.errors import ModelFileInvalid, ModelUnknown
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")

GRACE_S: Final = 3600.0

RENEWED_EVERY_S: Final = 60.0
"""How often a body that is on its way lets its push's promises be kept longer."""

NO_REPOSITORY: Final = ""
"""Who uploads a blob without saying for which model, as `/api/blobs` does."""


class ModelLibrary:
    """`changed` is awaited after every change, before the change's caller hears of it."""

    def __init__(
        self,
        manifests: ManifestStore,
        blobs: BlobStore,
        changed: Callable[[], Awaitable[None]],
        *,
        grace_s: float = GRACE_S,
        clock: Clock | None = None,
    ) -> None:
        self._manifests = manifests
        self._blobs = blobs
        self._changed = changed
        self._grace_s = grace_s
        self._clock = clock or SystemClock()
        self._lock = asyncio.Lock()
        self._held: Counter[Digest] = Counter()
        self._promises = Promises(self._clock, keep_s=grace_s)

    @contextlib.asynccontextmanager
    async def hold(self, digests: Iterable[Digest]) -> AsyncIterator[None]:
        """Keep blobs from being collected while a model that will need them is being built."""
        wanted = frozenset(digests)
        # Taking turns with the changes means that no sweep is under way that has not heard of this hold.
        async with self._lock:
            self._held.update(wanted)
        try:
            yield
        finally:
            self._held.subtract(wanted)
            self._held += Counter()

    async def promise(self, digest: Digest, repository: str = NO_REPOSITORY) -> bool:
        """Whether the blob is here; if it is, it stays for a push to that repository (see `promises`)."""
        # As for a hold: no sweep is under way that has not heard of it.
        async with self._lock:
            is_here = self._blobs.size_bytes(digest) is not None
            if is_here:
                self._promises.make(repository, digest)
            return is_here

    async def promise_unnamed(self, digest: Digest, repository: str) -> bool:
        """As `promise`, for a blob that no manifest names; one that is due to be collected is as good as gone."""
        async with self._lock:
            is_here = await on_thread(self._blobs.age_s, digest, self._clock.unix_ms() / 1000) < self._grace_s
            if is_here:
                self._promises.make(repository, digest)
            return is_here

    async def expect(self, digest: Digest, repository: str = NO_REPOSITORY) -> bool:
        """As `promise`, for a blob that is about to be published if it is not here yet."""
        async with self._lock:
            self._promises.make(repository, digest)
            return self._blobs.size_bytes(digest) is not None

    def promised(self, digest: Digest, repository: str) -> bool:
        return self._promises.holds(repository, digest)

    def renew_promises(self, repository: str) -> None:
        self._promises.renew(repository)

    async def renewing(self, chunks: AsyncIterator[bytes], repository: str = NO_REPOSITORY) -> AsyncIterator[bytes]:
        """The chunks of a body; while they come, everything that was promised to their push is kept."""
        due_s = self._clock.monotonic_s()
        async for chunk in chunks:
            now_s = self._clock.monotonic_s()
            if now_s >= due_s:
                self._promises.renew(repository)
                due_s = now_s + min(RENEWED_EVERY_S, self._grace_s / 10)
            yield chunk

    def withdraw_promise(self, digest: Digest, repository: str) -> None:
        self._promises.withdraw(repository, [digest])

    async def put(self, name: ModelName, manifest: bytes, *, only_if_absent: bool = False) -> None:
        """Write or replace a model; blobs that only the replaced one needed stay for the grace period.

        With `only_if_absent` a model that has the name already, in whichever spelling, stays as it is.

        Raises: ModelFileInvalid, BlobMissing (nothing was changed).
        """
        async with self._lock:
            if only_if_absent and await on_thread(self._exists, name):
                log.info("model_kept", model=name.full)
                return
            await undivided(self._replace(name, self._manifests.write, name, manifest))
        await self._changed()
        log.info("model_written", model=name.full)

    async def copy(self, source: ModelName, destination: ModelName) -> None:
        """Raises: ModelUnknown, ModelFileInvalid, BlobMissing."""
        async with self._lock:
            await undivided(self._replace(destination, self._manifests.copy, source, destination))
        await self._changed()
        log.info("model_copied", model=source.full, destination=destination.full)

    async def delete(self, name: ModelName) -> None:
        """Delete a model, and at once the blobs that nobody else needs.

        Raises: ModelUnknown.
        """
        async with self._lock:
            await undivided(self._delete(name))
        await self._changed()
        log.info("model_deleted", model=name.full)

    async def _delete(self, name: ModelName) -> None:
        references = await on_thread(self._references, name)
        await on_thread(self._manifests.delete, name)
        await on_thread(self._sweep, references - self._kept())

    async def collect(self) -> int:
        """Delete what nobody needs and nobody has touched for the grace period; returns the bytes that became free."""
        async with self._lock:
            return await on_thread(self._collect, self._kept())

    def _references(self, name: ModelName) -> frozenset[Digest]:
        """What the model needs now; nothing when it does not exist or cannot be read."""
        try:
            return self._manifests.read(name).references
        except (ModelUnknown, ModelFileInvalid):
            return frozenset()

    def _exists(self, name: ModelName) -> bool:
        """Whether there is such a model, and it can be read."""
        try:
            self._manifests.read(self._manifests.resolve(name))
        except (ModelUnknown, ModelFileInvalid):
            return False
        return True

    def _kept(self) -> frozenset[Digest]:
        return self._promises.digests() | self._held.keys()

    async def _replace(self, name: ModelName, write: Callable[..., None], *args: object) -> None:
        """Write `name`: then its push is over, and for what it needed before the grace period begins."""
        replaced = await on_thread(self._references, name)
        await on_thread(write, *args)
        needed = await on_thread(self._references, name)
        for repository in (repository_key(name), NO_REPOSITORY):
            self._promises.withdraw(repository, needed)
        for digest in replaced - needed:
            await on_thread(self._blobs.touch, digest)

    def _sweep(self, candidates: frozenset[Digest]) -> None:
        """Delete those that no manifest needs."""
        scan = self._manifests.scan()
        if scan.corrupt_count:
            # An unreadable manifest may need any of them.
            log.warning("collection_skipped", corrupt_count=scan.corrupt_count)
            return
        victims = collect.unreferenced(scan.manifests, candidates)
        collect.sweep(self._blobs, victims)
        log.info("blobs_collected", count=len(victims))

    def _collect(self, kept: frozenset[Digest]) -> int:
        # The files first: a blob that arrives during the scan of the manifests is then not among them.
        files = self._blobs.files()
        scan = self._manifests.scan()
        planned = collect.plan(
            files,
            scan.manifests,
            kept,
            unread_count=scan.corrupt_count,
            now_unix_s=self._clock.unix_ms() / 1000,
            grace_s=self._grace_s,
        )
        collect.remove(planned.victims)
        freed_bytes = total_bytes(planned.victims)
        if planned.postponed:
            log.info("collection_postponed", reason=planned.postponed)
        if planned.victims:
            log.info("files_collected", count=len(planned.victims), freed_bytes=freed_bytes)
        return freed_bytes
