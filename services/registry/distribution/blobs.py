"""Routes of blobs: whole or in ranges, and while they are still on their way from another registry."""

from typing import Final

import structlog
from aiohttp import hdrs, web

from services.registry import metrics
from services.registry.blob_store import BlobStore
from services.registry.distribution.dialect import CONTENT_DIGEST, VERSION_HEADERS, Code, Refusal
from services.registry.distribution.locations import blob_path
from services.registry.distribution.mirror import Arriving, Mirror
from services.registry.distribution.names import parse_repository
from services.registry.distribution.repositories import Repositories
from services.registry.library import ModelLibrary
from services.registry.promises import repository_key
from services.registry.publishing import WRITE_BYTES, on_thread
from shared.digest import Digest, parse_digest
from shared.errors import BlobUnknown, CorralError
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")

_OCTETS: Final = "application/octet-stream"


class BlobHandlers:
    def __init__(
        self, repositories: Repositories, blobs: BlobStore, library: ModelLibrary, mirror: Mirror | None
    ) -> None:
        self._repositories = repositories
        self._blobs = blobs
        self._library = library
        self._mirror = mirror

    def add_routes(self, app: web.Application) -> None:
        path = "/v2/{repository:.+}/blobs/{digest}"
        app.router.add_head(path, self.head)
        app.router.add_get(path, self.read, allow_head=False)

    async def head(self, request: web.Request) -> web.StreamResponse:
        """Whether the blob is here, and its size. A client that hears yes may be pushing: then the blob stays."""
        repository, digest = _wanted(request)
        if await self._repositories.reaches(repository, digest):
            if await self._stays(repository, digest):
                return self._file(request, digest)
        elif (arriving := await self._arriving(repository, digest)) is not None:
            return _response(request, digest, 0, arriving.size_bytes, arriving.size_bytes)
        raise _unknown(digest)

    async def read(self, request: web.Request) -> web.StreamResponse:
        repository, digest = _wanted(request)
        if await self._repositories.reaches(repository, digest):
            await self._repositories.is_pulled(repository, digest)
            return self._file(request, digest)
        if (arriving := await self._arriving(repository, digest)) is not None:
            return await self._follow(request, digest, arriving)
        raise _unknown(digest)

    async def _stays(self, repository: ModelName, digest: Digest) -> bool:
        """Promise the blob, so far as a reader who only asks may: a model that was deleted goes, however often."""
        key = repository_key(repository)
        if await self._repositories.names_it(repository, digest):
            return await self._library.promise(digest, key)
        return self._library.promised(digest, key) or await self._library.promise_unnamed(digest, key)

    async def _arriving(self, repository: ModelName, digest: Digest) -> Arriving | None:
        return None if self._mirror is None else await self._mirror.arriving(repository, digest)

    def _file(self, request: web.Request, digest: Digest) -> web.FileResponse:
        headers = {hdrs.CONTENT_TYPE: _OCTETS, CONTENT_DIGEST: digest}
        if hdrs.RANGE not in request.headers:
            # Ollama's client reads a blob's ranges from the address it is told here, and gives up without one.
            headers[hdrs.LOCATION] = blob_path(request, digest)
        return web.FileResponse(self._blobs.path(digest), headers=headers)

    async def _follow(self, request: web.Request, digest: Digest, arriving: Arriving) -> web.StreamResponse:
        """Say at once what will come, and send it when it is here.

        Clients wait longer for a body than for a status: Ollama's gives an answer 30 seconds to begin. If the pull
        fails the connection breaks off, which every client takes for the failure it is.
        """
        size_bytes = arriving.size_bytes
        start, end = _range(request, size_bytes)
        response = _response(request, digest, start, end, size_bytes)
        await response.prepare(request)
        try:
            await arriving.pull.blob(digest)
            await self._send(response, digest, start, end)
        except CorralError as error:
            log.warning("mirrored_blob_lost", digest=digest, reason=error.message)
            if request.transport is not None:
                request.transport.abort()
        except ConnectionResetError:
            log.debug("blob_reader_left", digest=digest)
        return response

    async def _send(self, response: web.StreamResponse, digest: Digest, start: int, end: int) -> None:
        with await on_thread(self._blobs.open, digest) as file:
            file.seek(start)
            while start < end:
                content = await on_thread(file.read, min(WRITE_BYTES, end - start))
                assert content, "the blob is shorter than its manifest says"
                await response.write(content)
                metrics.TRANSFER_BYTES.labels(direction="sent").inc(len(content))
                start += len(content)
        await response.write_eof()


def _wanted(request: web.Request) -> tuple[ModelName, Digest]:
    """Raises: ModelNameInvalid, DigestInvalid."""
    return parse_repository(request.match_info["repository"]), parse_digest(request.match_info["digest"])


def _unknown(digest: Digest) -> BlobUnknown:
    return BlobUnknown(f"blob {digest} is not known to this repository")


def _range(request: web.Request, size_bytes: int) -> tuple[int, int]:
    """The half-open stretch the client asks for.

    Raises: Refusal when there is none such.
    """
    try:
        start, end, _ = request.http_range.indices(size_bytes)
    except ValueError:
        start = end = size_bytes
    if start >= end and size_bytes:
        headers = {hdrs.CONTENT_RANGE: f"bytes */{size_bytes}"}
        raise Refusal(416, Code.SIZE_INVALID, "the blob has no such range", headers=headers)
    return start, end


def _response(request: web.Request, digest: Digest, start: int, end: int, size_bytes: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={**VERSION_HEADERS, CONTENT_DIGEST: digest, hdrs.ACCEPT_RANGES: "bytes"})
    response.content_type = _OCTETS
    response.content_length = end - start
    if hdrs.RANGE in request.headers:
        response.set_status(206)
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{size_bytes}"
    else:
        response.headers[hdrs.LOCATION] = blob_path(request, digest)
    return response
