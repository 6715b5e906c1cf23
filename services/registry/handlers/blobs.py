"""Routes of blobs: clients upload and ask, workers download."""

import asyncio

import structlog
from aiohttp import hdrs, web

from services.registry import metrics
from services.registry.blob_store import BlobStore
from services.registry.handlers.bodies import received
from services.registry.library import NO_REPOSITORY, ModelLibrary
from services.registry.quota import Quota
from shared.digest import Digest, parse_digest
from shared.errors import CorralError

log = structlog.get_logger("corral.registry")


class BlobHandlers:
    def __init__(self, blobs: BlobStore, library: ModelLibrary, quota: Quota, *, upload_idle_s: float) -> None:
        self._blobs = blobs
        self._library = library
        self._quota = quota
        self._upload_idle_s = upload_idle_s

    def add_routes(self, app: web.Application) -> None:
        app.router.add_head("/api/blobs/{digest}", self.head)
        app.router.add_post("/api/blobs/{digest}", self.upload)
        app.router.add_get("/api/blobs/{digest}", self.download, allow_head=False)
        app.on_response_prepare.append(_count_sent)

    async def head(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if await self._library.promise(_digest(request)) else 404)

    async def upload(self, request: web.Request) -> web.Response:
        """Store the body whatever its content type says; a blob that is there already is not read again.

        One model's files are sent one after another: all that were sent stay until the last one is here.
        """
        digest = _digest(request)
        self._library.renew_promises(NO_REPOSITORY)
        if await self._library.expect(digest):
            metrics.UPLOADS.labels(outcome="present").inc()
            return web.Response(status=200)
        try:
            async with self._quota.reserve(request.content_length or 0) as room:
                chunks = room.metered(received(request, idle_s=self._upload_idle_s))
                size_bytes = await self._blobs.commit(self._library.renewing(chunks), digest)
        except CorralError as error:
            metrics.UPLOADS.labels(outcome=error.code).inc()
            raise
        except asyncio.CancelledError:
            # However a connection ends within a body, the framework cancels the handler.
            metrics.UPLOADS.labels(outcome="interrupted").inc()
            raise
        metrics.UPLOADS.labels(outcome="stored").inc()
        log.info("blob_stored", digest=digest, size_bytes=size_bytes)
        return web.Response(status=201)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """The blob's bytes; ranges and If-Range are the file response's."""
        return web.FileResponse(
            self._blobs.path(_digest(request)), headers={hdrs.CONTENT_TYPE: "application/octet-stream"}
        )


def _digest(request: web.Request) -> Digest:
    return parse_digest(request.match_info["digest"])


async def _count_sent(request: web.Request, response: web.StreamResponse) -> None:
    """Only when a response is prepared is it known how much of the file its range asks for."""
    if isinstance(response, web.FileResponse) and request.method == hdrs.METH_GET:
        metrics.TRANSFER_BYTES.labels(direction="sent").inc(response.content_length or 0)
