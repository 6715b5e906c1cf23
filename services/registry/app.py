"""Composition root of the registry: builds its parts, wires them, owns their lives."""

from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from aiohttp import web

from services.registry.blob_store import BlobStore
from services.registry.building.builder import Builder, Store
from services.registry.catalog import Catalog
from services.registry.collector import Collector
from services.registry.conversion.converter import ConversionLimits, Converter
from services.registry.distribution.dialect import dialect
from services.registry.distribution.mirror import Mirror
from services.registry.distribution.routes import add_distribution_routes
from services.registry.handlers.blobs import BlobHandlers
from services.registry.handlers.models import ModelHandlers
from services.registry.handlers.status import StatusHandlers
from services.registry.handlers.transfers import TransferHandlers
from services.registry.headers import Headers
from services.registry.index_publisher import IndexPublisher
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths
from services.registry.quota import Quota, usage_of
from services.registry.settings import Settings
from services.registry.store_watch import StoreWatch, try_to_write
from services.registry.transfers.wiring import add_transfer_jobs, build_transfers
from services.registry.upstream.challenge import parse_credentials
from services.registry.upstream.client import Upstream, UpstreamLimits
from services.registry.upstream.policy import parse_upstream_hosts
from services.registry.upstream.signing import load_signing_key
from shared import redis_client
from shared import web as shared_web
from shared.background import running
from shared.clock import SystemClock
from shared.model_index import ModelIndex

log = structlog.get_logger("corral.registry")


def build_upstream(settings: Settings) -> Upstream:
    """The door to other registries.

    Raises: SettingsInvalid.
    """
    return Upstream(
        parse_upstream_hosts(settings.upstream_hosts),
        UpstreamLimits(
            connect_s=settings.upstream_connect_s,
            stall_s=settings.upstream_stall_s,
            part_bytes=settings.upload_part_bytes,
        ),
        credentials=parse_credentials(settings.upstream_credentials),
        key=load_signing_key(settings.upstream_key_path),
    )


def build_quota(settings: Settings, paths: StorePaths) -> Quota:
    limit = settings.store_bytes_max
    return Quota(lambda: usage_of(paths, counted=limit > 0), bytes_max=limit)


def build_converter(settings: Settings) -> Converter:
    return Converter(
        ConversionLimits(
            at_once_max=settings.conversions_max,
            memory_bytes_max=settings.conversion_memory_bytes_max,
            n_threads=settings.conversion_threads,
            stall_s=settings.conversion_stall_s,
        )
    )


def prepare_store(paths: StorePaths) -> None:
    paths.create_folders()
    if renamed_count := paths.adopt_colon_names():
        log.info("blobs_renamed", count=renamed_count)


def build_app(settings: Settings) -> web.Application:
    """The registry over the store at `settings.models_dir`, whose folders are made when they are missing.

    Raises: SettingsInvalid.
    """
    upstream = build_upstream(settings)
    paths = StorePaths(Path(settings.models_dir).expanduser())
    blobs = BlobStore(paths)
    manifests = ManifestStore(paths, blobs)
    headers = Headers(blobs)
    catalog = Catalog(manifests, blobs, headers)
    redis = redis_client.connect(settings.redis_url.reveal())
    publisher = IndexPublisher(ModelIndex(redis), catalog, manifests)
    # An upload may stand still for a while without being given up.
    grace_s = max(settings.collect_grace_s, settings.upload_idle_s)
    library = ModelLibrary(manifests, blobs, changed=publisher.publish, grace_s=grace_s)
    quota = build_quota(settings, paths)
    transfers = build_transfers(
        settings, redis, upstream, paths=paths, manifests=manifests, blobs=blobs, library=library, quota=quota
    )
    builder = Builder(
        Store(paths=paths, blobs=blobs, manifests=manifests, headers=headers, library=library, quota=quota),
        conversions=build_converter(settings),
        pulls=transfers,
    )
    store_watch = StoreWatch(lambda: try_to_write(paths.blobs), SystemClock())

    def problem() -> str | None:
        return store_watch.problem or publisher.problem

    async def store(_app: web.Application) -> AsyncIterator[None]:
        prepare_store(paths)
        collector = Collector(library, blobs, quota, interval_s=settings.collect_interval_s)
        async with upstream, running(store_watch.run()), running(collector.run()), running(publisher.run()):
            yield
        await redis.aclose()

    app = web.Application(
        middlewares=[shared_web.error_middleware(shared_web.ollama_error), dialect],
        client_max_size=settings.body_bytes_max,
    )
    app.cleanup_ctx.append(store)
    add_transfer_jobs(app, settings, transfers, upstream, paths=paths, manifests=manifests)
    TransferHandlers(transfers).add_routes(app)
    BlobHandlers(blobs, library, quota, upload_idle_s=settings.upload_idle_s).add_routes(app)
    ModelHandlers(manifests, catalog, library, builder).add_routes(app)
    StatusHandlers(paths, problem, store_bytes_max=settings.store_bytes_max).add_routes(app)
    add_distribution_routes(
        app,
        paths=paths,
        blobs=blobs,
        manifests=manifests,
        library=library,
        quota=quota,
        mirror=Mirror(transfers) if settings.mirror else None,
        upload_idle_s=settings.upload_idle_s,
    )
    shared_web.add_ops_routes(app, problem)
    return app
