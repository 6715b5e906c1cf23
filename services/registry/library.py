"""The models as a whole: changes happen one at a time, and only here is it decided when blobs may go."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import structlog

from services.registry.blob_store import BlobStore
from services.registry.collect import sweep, unreferenced
from services.registry.manifest_store import ManifestStore
from services.registry.publishing import on_thread
from shared.digest import Digest
from shared.errors import ModelFileInvalid, ModelUnknown
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")


class ModelLibrary:
    """`changed` is awaited after every change, before the change's caller hears of it."""

    def __init__(self, manifests: ManifestStore, blobs: BlobStore, changed: Callable[[], Awaitable[None]]) -> None:
        self._manifests = manifests
        self._blobs = blobs
        self._changed = changed
        self._lock = asyncio.Lock()
        self._held: Counter[Digest] = Counter()

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

    async def put(self, name: ModelName, manifest: bytes) -> None:
        """Write or replace a model; blobs that only the replaced one needed are deleted.

        Raises: InternalError when a blob is missing (nothing was changed).
        """
        async with self._lock:
            replaced = await on_thread(self._references, name)
            await on_thread(self._manifests.write, name, manifest)
            await self._collect(replaced)
        await self._changed()
        log.info("model_written", model=name.full)

    async def copy(self, source: ModelName, destination: ModelName) -> None:
        """Raises: ModelUnknown, ModelFileInvalid, InternalError when a blob is missing."""
        async with self._lock:
            replaced = await on_thread(self._references, destination)
            await on_thread(self._manifests.copy, source, destination)
            await self._collect(replaced)
        await self._changed()
        log.info("model_copied", model=source.full, destination=destination.full)

    async def delete(self, name: ModelName) -> None:
        """Raises: ModelUnknown."""
        async with self._lock:
            references = await on_thread(self._references, name)
            await on_thread(self._manifests.delete, name)
            await self._collect(references)
        await self._changed()
        log.info("model_deleted", model=name.full)

    def _references(self, name: ModelName) -> frozenset[Digest]:
        """What the model needs now; nothing when it does not exist or cannot be read."""
        try:
            return self._manifests.read(name).references
        except (ModelUnknown, ModelFileInvalid):
            return frozenset()

    async def _collect(self, candidates: frozenset[Digest]) -> None:
        if candidates:
            await on_thread(self._sweep, candidates - self._held.keys())

    def _sweep(self, candidates: frozenset[Digest]) -> None:
        scan = self._manifests.scan()
        if scan.corrupt_count:
            # An unreadable manifest may need any of them.
            log.warning("collection_skipped", corrupt_count=scan.corrupt_count)
            return
        victims = unreferenced(scan.manifests, candidates)
        sweep(self._blobs, victims)
        log.info("blobs_collected", count=len(victims))
