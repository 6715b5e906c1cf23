"""The transfers of one registry, put together for the application."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web
from redis.asyncio import Redis

from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths
from services.registry.publishing import on_thread
from services.registry.quota import Quota
from services.registry.settings import Settings
from services.registry.transfers.blob_download import BlobDownloads, DownloadLimits
from services.registry.transfers.jobs import Jobs, TransferRecords
from services.registry.transfers.partial_files import remove_leftovers
from services.registry.transfers.pull import Puller
from services.registry.transfers.push import push
from services.registry.transfers.transfer import Transfer, TransferKind
from services.registry.transfers.transfers import Transfers
from services.registry.updates import Updates, parse_update_models
from services.registry.upstream.client import Upstream
from shared.background import running
from shared.model_name import ModelName


def build_transfers(
    settings: Settings,
    redis: Redis,
    upstream: Upstream,
    *,
    paths: StorePaths,
    manifests: ManifestStore,
    blobs: BlobStore,
    library: ModelLibrary,
    quota: Quota,
) -> Transfers:
    limits = DownloadLimits(ranges_count=settings.pull_parts_parallel, part_bytes=settings.pull_part_bytes)
    downloads = BlobDownloads(paths, blobs, limits)
    puller = Puller(upstream, paths, manifests, blobs, library, quota, downloads)

    async def push_telling(name: ModelName, *, insecure: bool, report: Transfer) -> None:
        async with contextlib.aclosing(push(name, upstream, manifests, blobs, library, insecure=insecure)) as steps:
            async for progress in steps:
                report.tell(progress)

    return Transfers(
        TransferRecords(redis),
        {TransferKind.PULL: puller.run, TransferKind.PUSH: push_telling},
        running_max=settings.transfers_max,
    )


def add_transfer_jobs(
    app: web.Application,
    settings: Settings,
    transfers: Transfers,
    upstream: Upstream,
    *,
    paths: StorePaths,
    manifests: ManifestStore,
) -> None:
    """Go on with recorded transfers while the application lives, and keep the listed models up to date.

    Raises: SettingsInvalid.
    """
    updates = Updates(parse_update_models(settings.update_models), manifests, upstream, transfers)
    jobs = Jobs(
        settings.redis_url.reveal(),
        transfers,
        updates.run,
        update_at=settings.update_at if settings.update_models else "",
    )
    stopping = contextlib.AsyncExitStack()

    async def life(_app: web.Application) -> AsyncIterator[None]:
        await on_thread(remove_leftovers, paths)
        async with stopping:
            # The jobs first: one whose transfer stops before it would count as done.
            stopping.push_async_callback(transfers.close)
            await stopping.enter_async_context(running(jobs.run()))
            yield

    async def stop(_app: web.Application) -> None:
        """At once, and not after open requests have ended: those that follow a transfer end with it."""
        await stopping.aclose()

    app.cleanup_ctx.append(life)
    app.on_shutdown.append(stop)
