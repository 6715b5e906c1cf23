"""The registry protocol as a whole, put together for the application."""

from aiohttp import web

from services.registry.blob_store import BlobStore
from services.registry.distribution.blobs import BlobHandlers
from services.registry.distribution.catalogue import CatalogueHandlers
from services.registry.distribution.manifests import ManifestHandlers
from services.registry.distribution.mirror import Mirror
from services.registry.distribution.repositories import Repositories
from services.registry.distribution.upload_store import UploadStore
from services.registry.distribution.uploads import UploadHandlers
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths
from services.registry.quota import Quota


def add_distribution_routes(
    app: web.Application,
    *,
    paths: StorePaths,
    blobs: BlobStore,
    manifests: ManifestStore,
    library: ModelLibrary,
    quota: Quota,
    mirror: Mirror | None,
    upload_idle_s: float,
) -> None:
    """Add everything under `/v2/`; `dialect.dialect` must be among the application's middlewares."""
    repositories = Repositories(manifests, blobs, library)
    uploads = UploadHandlers(repositories, UploadStore(paths), library, quota, upload_idle_s=upload_idle_s)
    manifest_routes = ManifestHandlers(repositories, manifests, blobs, library, mirror, upload_idle_s=upload_idle_s)
    CatalogueHandlers(repositories).add_routes(app)
    uploads.add_routes(app)
    BlobHandlers(repositories, blobs, library, mirror).add_routes(app)
    manifest_routes.add_routes(app)
