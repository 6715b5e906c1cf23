"""The loop that tidies the store: at start, then every so often. What may go is decided in `collect`."""

import asyncio

import structlog

from services.registry import metrics
from services.registry.blob_folder import total_bytes
from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.publishing import on_thread
from services.registry.quota import Quota

log = structlog.get_logger("corral.registry")


class Collector:
    def __init__(self, library: ModelLibrary, blobs: BlobStore, quota: Quota, *, interval_s: float) -> None:
        self._library = library
        self._blobs = blobs
        self._quota = quota
        self._interval_s = interval_s

    async def collect(self) -> None:
        metrics.COLLECTED_BYTES.inc(await self._library.collect())
        metrics.STORE_BYTES.set(total_bytes(await on_thread(self._blobs.files)))
        await self._quota.look()

    async def run(self) -> None:
        """Collect until cancelled."""
        while True:
            try:
                await self.collect()
            except Exception:
                log.exception("collection_failed")
            await asyncio.sleep(self._interval_s)
