"""Composition root of the registry: builds its parts, wires them, owns their lives."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from aiohttp import web

from services.registry.blob_store import BlobStore
from services.registry.build import Builder
from services.registry.catalog import Catalog
from services.registry.handlers.blobs import BlobHandlers
from services.registry.handlers.models import ModelHandlers
from services.registry.headers import Headers
from services.registry.index_publisher import IndexPublisher
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths
from services.registry.settings import Settings
from shared import redis_client
from shared import web as shared_web
from shared.model_index import ModelIndex

log = structlog.get_logger("corral.registry")


def build_app(settings: Settings) -> web.Application:
    """The registry over the store at `settings.models_dir`, whose folders are made when they are missing."""
    paths = StorePaths(Path(settings.models_dir).expanduser())
    blobs = BlobStore(paths)
    manifests = ManifestStore(paths, blobs)
    headers = Headers(blobs)
    catalog = Catalog(manifests, blobs, headers)
    redis = redis_client.connect(settings.redis_url)
    publisher = IndexPublisher(ModelIndex(redis), catalog, manifests)
    library = ModelLibrary(manifests, blobs, changed=publisher.publish)
    builder = Builder(manifests, blobs, headers, library)

    async def is_ready() -> str | None:
        return publisher.problem

    async def store(_app: web.Application) -> AsyncIterator[None]:
        paths.create_folders()
        if abandoned_count := paths.remove_abandoned_uploads():
            log.info("uploads_removed", count=abandoned_count)
        yield

    async def published_index(_app: web.Application) -> AsyncIterator[None]:
        keeping = asyncio.create_task(publisher.run())
        yield
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await redis.aclose()

    app = web.Application(
        middlewares=[shared_web.error_middleware(shared_web.ollama_error)], client_max_size=settings.body_bytes_max
    )
    app.cleanup_ctx.extend([store, published_index])
    BlobHandlers(blobs, upload_idle_s=settings.upload_idle_s).add_routes(app)
    ModelHandlers(manifests, catalog, library, builder).add_routes(app)
    shared_web.add_ops_routes(app, is_ready)
    return app
