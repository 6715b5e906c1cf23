"""One blob on its way to another registry, in parts, going on where it stood after a break-off.

    begin ──► patch ──► patch … ──► commit
      ▲         │ break-off           │
      └─ gone ─ ask for the offset ◄──┘

Source: OCI distribution specification, "Pushing blobs"; Ollama `server/upload.go` for the form of Content-Range.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from services.registry import metrics
from services.registry.blob_store import missing
from services.registry.publishing import on_thread
from services.registry.upstream.exchange import Body, refusal
from services.registry.upstream.ranges import uploaded_bytes
from services.registry.upstream.redirects import next_url
from shared.digest import Digest
from shared.errors import UpstreamFailed, UpstreamRefused, UpstreamUnknown

READ_BYTES: Final = 256 << 10
"""A piece; a registry that takes less than this within the stall limit counts as silent."""

HASHED_BYTES_PER_S_MIN: Final = 20 << 20
"""Before a registry confirms a blob it may read all of it once more, and is silent while it does."""

TRIES_MAX: Final = 6
"""Failures in a row, each with no byte gained since the last."""


class UploadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The largest part, and the pause after a second failure in a row."""

    part_bytes: int
    retry_pause_s: float

    def pause_s(self, failures_count: int) -> float:
        """How long to wait after that many failures in a row: the first may be chance, more are trouble."""
        return 0.0 if failures_count <= 1 else self.retry_pause_s * 2 ** (failures_count - 2)


class Sender(Protocol):
    """What an upload needs of its repository."""

    def url(self, rest: str) -> URL: ...

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], *, body: Body | None = None, extra_wait_s: float = 0.0
    ) -> aiohttp.ClientResponse: ...

    async def has_blob(self, digest: Digest) -> bool: ...


class BlobUpload:
    """`_location` is where the upload is, None before it began; `_offset` what the registry has of it, None when that
    must be asked."""

    def __init__(
        self,
        sender: Sender,
        digest: Digest,
        path: Path,
        limits: UploadLimits,
        *,
        on_progress: Callable[[int], None],
    ) -> None:
        """Raises: BlobMissing."""
        self._sender = sender
        self._digest = digest
        self._path = path
        try:
            self._size_bytes = path.stat().st_size
        except FileNotFoundError as cause:
            raise missing(digest) from cause
        self._limits = limits
        self._part_bytes = limits.part_bytes
        self._on_progress = on_progress
        self._location: URL | None = None
        self._offset: int | None = 0
        self._is_done = False
        self._is_missing = False

    async def run(self, mount_from: str) -> None:
        """Raises: UpstreamRefused, UpstreamForbidden, UpstreamFailed after TRIES_MAX failures without a gain;
        BlobMissing when the file goes meanwhile.
        """
        if mount_from and await self._mount(mount_from):
            self._on_progress(self._size_bytes)
            return
        failures_count = furthest_bytes = 0
        while not self._is_done:
            try:
                await self._advance()
            except UpstreamFailed as failure:
                if self._is_missing:
                    raise missing(self._digest) from failure
                failures_count += 1
                if failures_count >= TRIES_MAX:
                    raise
                self._offset = None
                await asyncio.sleep(self._limits.pause_s(failures_count))
            if self._offset is not None and self._offset > furthest_bytes:
                failures_count, furthest_bytes = 0, self._offset

    async def _advance(self) -> None:
        if self._location is None:
            await self._begin("")
        elif self._offset is None:
            await self._ask(self._location)
        elif self._offset < self._size_bytes:
            await self._patch(self._location, self._offset)
        else:
            await self._commit(self._location)

    async def _mount(self, source: str) -> bool:
        """Ask for the other repository's blob; when that is refused, the blob is sent like any other."""
        try:
            await self._begin("?" + urlencode({"mount": self._digest, "from": source}))
        except (UpstreamFailed, UpstreamRefused, UpstreamUnknown):
            self._location = None
        return self._is_done

    async def _begin(self, query: str) -> None:
        response = await self._send("POST", self._sender.url(f"blobs/uploads/{query}"), {"Content-Length": "0"})
        if response.status == 201:
            self._is_done = True
            return
        self._move(response)
        self._offset = 0
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        if least.isdecimal():
            self._part_bytes = max(self._part_bytes, int(least))

    async def _ask(self, location: URL) -> None:
        """Learn how far the upload is; one that is gone has ended, one way or the other."""
        try:
            response = await self._send("GET", location, {})
        except (UpstreamUnknown, UpstreamRefused):
            self._is_done = await self._sender.has_blob(self._digest)
            self._location = None
            return
        self._move(response)
        self._offset = min(uploaded_bytes(response.headers.get("Range")), self._size_bytes)

    async def _patch(self, location: URL, start: int) -> None:
        end = min(start + self._part_bytes, self._size_bytes)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(end - start),
            "Content-Range": f"{start}-{end - 1}",
        }
        try:
            response = await self._send("PATCH", location, headers, body=lambda: self._part(start, end))
        except UpstreamUnknown as cause:
            raise UpstreamFailed("the upload is gone") from cause
        self._move(response)
        self._offset = end

    async def _commit(self, location: URL) -> None:
        query = urlencode({"digest": self._digest})
        url = URL(f"{location}{'&' if location.raw_query_string else '?'}{query}", encoded=True)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": "0"}
        await self._send("PUT", url, headers, extra_wait_s=self._size_bytes / HASHED_BYTES_PER_S_MIN)
        self._is_done = True

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], *, body: Body | None = None, extra_wait_s: float = 0.0
    ) -> aiohttp.ClientResponse:
        """One request without redirects; the answer is released and says yes.

        Raises: UpstreamFailed, also when the registry has another offset (416), UpstreamUnknown, UpstreamRefused.
        """
        response = await self._sender.send(method, url, headers, body=body, extra_wait_s=extra_wait_s)
        try:
            if response.status == 416 and method == "PATCH":
                raise UpstreamFailed("the registry has another part of the upload than this one")
            if response.status >= 300:
                raise await refusal(response)
        finally:
            response.release()
        return response

    def _move(self, response: aiohttp.ClientResponse) -> None:
        """Go on where the answer says."""
        location = response.headers.get("Docker-Upload-Location") or response.headers.get("Location")
        if location or self._location is None:
            self._location = next_url(response.url, location)

    async def _part(self, start: int, end: int) -> AsyncIterator[bytes]:
        with self._opened() as file:
            file.seek(start)
            while start < end:
                content = await on_thread(file.read, min(READ_BYTES, end - start))
                assert content, "a blob in the store does not shrink"
                start += len(content)
                yield content
                metrics.TRANSFER_BYTES.labels(direction="pushed").inc(len(content))
                self._on_progress(start)

    def _opened(self) -> BinaryIO:
        """The file. To the connection it is sent over, a failure here is one of the network: so it is remembered."""
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            self._is_missing = True
            raise
