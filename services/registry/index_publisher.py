"""Keeps the model index in Redis equal to the store: after every change, and again whenever the two differ."""

import asyncio
from typing import Final

import structlog
from redis.exceptions import RedisError

from services.registry import metrics
from services.registry.catalog import Catalog
from services.registry.manifest_store import ManifestStore
from services.registry.publishing import on_thread
from shared.model_index import ModelIndex

log = structlog.get_logger("corral.registry")

CHECK_INTERVAL_S: Final = 5.0
REDIS_DEADLINE_S: Final = 5.0


class IndexPublisher:
    """Redis may be away at any time: the registry serves on, and publishes when it is back."""

    def __init__(self, index: ModelIndex, catalog: Catalog, manifests: ManifestStore) -> None:
        self._index = index
        self._catalog = catalog
        self._manifests = manifests
        self._lock = asyncio.Lock()
        self._published_count: int | None = None
        self._published_fingerprint: frozenset[tuple[str, int]] = frozenset()
        self.problem: str | None = "the model index is not published yet"
        """Why the rest of the cluster does not see the store as it is; None when it does."""

    async def publish(self) -> None:
        """Publish the store as it is now; when Redis is away, leave it to the next check."""
        async with self._lock:
            fingerprint = await on_thread(self._manifests.fingerprint)
            entries = await on_thread(self._catalog.entries)
            try:
                async with asyncio.timeout(REDIS_DEADLINE_S):
                    await self._index.publish(entries)
            except (RedisError, OSError) as error:
                self._lost(error)
                return
            self._published_count, self.problem = len(entries), None
            self._published_fingerprint = fingerprint
        metrics.MODELS.set(len(entries))
        metrics.INDEX_PUBLISHES.labels(outcome="published").inc()
        log.info("index_published", models_count=len(entries))

    async def check(self) -> None:
        """Publish if Redis lost the index, or if somebody else changed the store."""
        try:
            async with asyncio.timeout(REDIS_DEADLINE_S):
                count = await self._index.published()
        except (RedisError, OSError) as error:
            self._lost(error)
            return
        fingerprint = await on_thread(self._manifests.fingerprint)
        if count != self._published_count or fingerprint != self._published_fingerprint:
            await self.publish()

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            try:
                await self.check()
            except Exception:
                log.exception("index_check_failed")
            await asyncio.sleep(CHECK_INTERVAL_S)

    def _lost(self, error: Exception) -> None:
        self._published_count, self.problem = None, "the model index is not published: Redis cannot be reached"
        metrics.INDEX_PUBLISHES.labels(outcome="failed").inc()
        log.warning("index_not_published", reason=str(error) or type(error).__name__)
