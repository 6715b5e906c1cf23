"""`GET /internal/status`: what the registry says of itself to the rest of the cluster."""

import msgspec
from aiohttp import web

from services.registry.blob_folder import blob_files, total_bytes
from services.registry.paths import StorePaths
from services.registry.publishing import on_thread
from shared.cluster_state import RegistryState
from shared.disk_space import disk_space
from shared.version import CORRAL_VERSION
from shared.web import IsReady


class StatusHandlers:
    def __init__(self, paths: StorePaths, problem: IsReady, *, store_bytes_max: int) -> None:
        self._paths = paths
        self._problem = problem
        self._store_bytes_max = store_bytes_max

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/internal/status", self.status)

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(body=msgspec.json.encode(await on_thread(self._state)))

    def _state(self) -> RegistryState:
        return RegistryState(
            version=CORRAL_VERSION,
            problem=self._problem() or "",
            store_bytes=total_bytes(blob_files(self._paths.blobs)),
            store_bytes_max=self._store_bytes_max,
            disk=disk_space(self._paths.blobs),
        )
