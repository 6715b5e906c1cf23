"""Routes of uploads: begin, send in parts, ask how far it got, finish, give up.

Understands docker's and oras' ways (one body, or chunks with a range), and Ollama's: ranges without a unit, and a
digest that is named at the beginning without a body, to hear whether the blob has to be sent at all.
"""

import contextlib
from typing import Final

import structlog
from aiohttp import hdrs, web

from services.registry import metrics
from services.registry.distribution.chunks import Chunk, ChunkOutOfOrder, parse_content_range, range_header
from services.registry.distribution.dialect import CONTENT_DIGEST, Code, Refusal
from services.registry.distribution.locations import blob_path, upload_url
from services.registry.distribution.names import parse_repository
from services.registry.distribution.repositories import Repositories
from services.registry.distribution.upload_store import ChunkIncomplete, UploadsExceeded, UploadStore, UploadUnknown
from services.registry.handlers.bodies import received
from services.registry.library import ModelLibrary
from services.registry.promises import repository_key
from services.registry.quota import Quota
from shared.digest import Digest, digest_of, parse_digest
from shared.errors import CorralError, DigestInvalid, ModelNameInvalid
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")

_EMPTY: Final = digest_of(b"")
_RETRY_AFTER_S: Final = 60


class UploadHandlers:
    def __init__(
        self,
        repositories: Repositories,
        uploads: UploadStore,
        library: ModelLibrary,
        quota: Quota,
        *,
        upload_idle_s: float,
    ) -> None:
        self._repositories = repositories
        self._uploads = uploads
        self._library = library
        self._quota = quota
        self._upload_idle_s = upload_idle_s

    def add_routes(self, app: web.Application) -> None:
        folder = "/v2/{repository:.+}/blobs/uploads{slash:/?}"
        upload = "/v2/{repository:.+}/blobs/uploads/{upload}"
        app.router.add_post(folder, self.start)
        app.router.add_get(upload, self.status, allow_head=False)
        app.router.add_patch(upload, self.append)
        app.router.add_put(upload, self.finish)
        app.router.add_delete(upload, self.cancel)

    async def start(self, request: web.Request) -> web.Response:
        """Begin an upload; or be done at once, by mounting another repository's blob or with the whole body."""
        repository = parse_repository(request.match_info["repository"])
        mounted = await self._mounted(request, repository)
        if mounted is not None:
            return _created(request, mounted)
        wanted = parse_digest(request.query["digest"]) if "digest" in request.query else None
        try:
            upload_id = await self._uploads.start()
        except UploadsExceeded as cause:
            headers = {hdrs.RETRY_AFTER: str(_RETRY_AFTER_S)}
            raise Refusal(429, Code.TOOMANYREQUESTS, "too many uploads are unfinished", headers=headers) from cause
        if wanted is None:
            return _accepted(request, upload_id, 0)
        try:
            received_bytes = await self._append(request, upload_id, repository, None)
            if received_bytes or wanted == _EMPTY:
                return await self._publish(request, upload_id, repository, wanted)
        except BaseException:
            # Nobody has been told its id.
            with contextlib.suppress(UploadUnknown):
                self._uploads.discard(upload_id)
            raise
        if await self._offered(repository, wanted):
            self._uploads.discard(upload_id)
            return _created(request, wanted)
        return _accepted(request, upload_id, 0)

    async def _mounted(self, request: web.Request, repository: ModelName) -> Digest | None:
        """The blob the client asks to mount, if the other repository has it. Whether it may read there is checked by
        whoever lets it in here."""
        query = request.query
        if "mount" not in query:
            return None
        digest = parse_digest(query["mount"])
        try:
            source = parse_repository(query["from"]) if query.get("from") else repository
        except ModelNameInvalid:
            return None
        if not await self._repositories.reaches(source, digest):
            return None
        return digest if await self._library.promise(digest, repository_key(repository)) else None

    async def _offered(self, repository: ModelName, digest: Digest) -> bool:
        """Whether the repository has the blob already; then it stays."""
        reached = await self._repositories.reaches(repository, digest)
        return reached and await self._library.promise(digest, repository_key(repository))

    async def status(self, request: web.Request) -> web.Response:
        upload_id = request.match_info["upload"]
        try:
            return _progress(request, upload_id, self._uploads.offset(upload_id), status=204)
        except UploadUnknown as cause:
            raise _unknown(upload_id) from cause

    async def append(self, request: web.Request) -> web.Response:
        upload_id = request.match_info["upload"]
        repository = parse_repository(request.match_info["repository"])
        offset = await self._append(request, upload_id, repository, _chunk(request))
        return _accepted(request, upload_id, offset)

    async def finish(self, request: web.Request) -> web.Response:
        """Take the last part, if there is one, and publish the blob."""
        upload_id = request.match_info["upload"]
        repository = parse_repository(request.match_info["repository"])
        if "digest" not in request.query:
            raise DigestInvalid
        wanted = parse_digest(request.query["digest"])
        if request.can_read_body:
            await self._append(request, upload_id, repository, _chunk(request))
        return await self._publish(request, upload_id, repository, wanted)

    async def cancel(self, request: web.Request) -> web.Response:
        upload_id = request.match_info["upload"]
        try:
            self._uploads.discard(upload_id)
        except UploadUnknown as cause:
            raise _unknown(upload_id) from cause
        return web.Response(status=204)

    async def _append(self, request: web.Request, upload_id: str, repository: ModelName, chunk: Chunk | None) -> int:
        """Raises: Refusal, StoreFull, DeadlineExceeded."""
        key = repository_key(repository)
        self._library.renew_promises(key)
        try:
            self._uploads.offset(upload_id)
            async with self._quota.reserve(request.content_length or 0) as room:
                chunks = room.metered(received(request, idle_s=self._upload_idle_s))
                offset = await self._uploads.append(upload_id, self._library.renewing(chunks, key), chunk)
            self._library.renew_promises(key)
            return offset
        except UploadUnknown as cause:
            raise _unknown(upload_id) from cause
        except ChunkOutOfOrder as cause:
            headers = {hdrs.LOCATION: upload_url(request, upload_id), hdrs.RANGE: range_header(cause.offset)}
            raise Refusal(416, Code.BLOB_UPLOAD_INVALID, str(cause), headers=headers) from cause
        except ChunkIncomplete as cause:
            raise Refusal(400, Code.SIZE_INVALID, "the body is not as long as its range") from cause

    async def _publish(
        self, request: web.Request, upload_id: str, repository: ModelName, wanted: Digest
    ) -> web.Response:
        """Raises: Refusal, DigestMismatch."""
        key = repository_key(repository)
        try:
            size_bytes = await self._uploads.finish(
                upload_id, wanted, announce=lambda: self._library.expect(wanted, key)
            )
        except UploadUnknown as cause:
            # A finish whose answer was lost is asked for again.
            if await self._offered(repository, wanted):
                return _created(request, wanted)
            raise _unknown(upload_id) from cause
        except CorralError as error:
            metrics.UPLOADS.labels(outcome=error.code).inc()
            raise
        self._library.renew_promises(key)
        metrics.UPLOADS.labels(outcome="stored").inc()
        log.info("blob_pushed", repository=key, digest=wanted, size_bytes=size_bytes)
        return _created(request, wanted)


def _chunk(request: web.Request) -> Chunk | None:
    """Where the body belongs, if the client says so.

    Raises: Refusal.
    """
    text = request.headers.get(hdrs.CONTENT_RANGE)
    if text is None:
        return None
    chunk = parse_content_range(text)
    if chunk is None:
        raise Refusal(400, Code.BLOB_UPLOAD_INVALID, "Content-Range is no range")
    if request.content_length is not None and request.content_length != chunk.size_bytes:
        raise Refusal(400, Code.SIZE_INVALID, "Content-Length is not the length of Content-Range")
    return chunk


def _unknown(upload_id: str) -> Refusal:
    return Refusal(404, Code.BLOB_UPLOAD_UNKNOWN, "this upload is not known to the registry", detail={"id": upload_id})


def _accepted(request: web.Request, upload_id: str, offset: int) -> web.Response:
    return _progress(request, upload_id, offset, status=202)


def _progress(request: web.Request, upload_id: str, offset: int, *, status: int) -> web.Response:
    headers = {
        hdrs.LOCATION: upload_url(request, upload_id),
        hdrs.RANGE: range_header(offset),
        "Docker-Upload-UUID": upload_id,
    }
    return web.Response(status=status, headers=headers)


def _created(request: web.Request, digest: Digest) -> web.Response:
    return web.Response(status=201, headers={hdrs.LOCATION: blob_path(request, digest), CONTENT_DIGEST: digest})
