"""One model's repository at another registry: its manifest and blobs, read and written, for one pull or push."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from services.registry.upstream.authorization import Authorization
from services.registry.upstream.challenge import ACCESS_DENIED
from services.registry.upstream.exchange import Body, Exchange, failures, read_at_most, refusal
from services.registry.upstream.ranges import check_part, range_header
from services.registry.upstream.redirects import REDIRECT_STATUSES, same_origin
from services.registry.upstream.uploads import BlobUpload, UploadLimits
from shared.digest import Digest, digest_of
from shared.errors import UpstreamFailed, UpstreamRefused, UpstreamUnknown
from shared.manifest import MANIFEST_MEDIA_TYPE
from shared.model_name import ModelName

MANIFEST_BYTES_MAX: Final = 4 << 20
"""As much as the CNCF's registry takes."""

ACCEPTED_MANIFESTS: Final = f"{MANIFEST_MEDIA_TYPE}, application/vnd.oci.image.manifest.v1+json"

STALE_STATUSES: Final = frozenset({400, 401, 403, 404, 410})
"""What storage services answer when the signature in a direct URL has expired."""


class _MediaTyped(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str = MANIFEST_MEDIA_TYPE


class Repository:
    def __init__(
        self, exchange: Exchange, authorization: Authorization, registry: URL, name: ModelName, limits: UploadLimits
    ) -> None:
        self._exchange = exchange
        self._authorization = authorization
        self._registry = registry
        self._tag = name.tag
        self._path = f"/v2/{name.namespace}/{name.model}"
        self._limits = limits
        self._sources: dict[Digest, URL] = {}
        self._learning: defaultdict[Digest, asyncio.Lock] = defaultdict(asyncio.Lock)

    def url(self, rest: str) -> URL:
        """An address inside the repository; `rest` may bring a query."""
        return self._registry.join(URL(f"{self._path}/{rest}", encoded=True))

    async def send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        *,
        body: Body | None = None,
        follow: bool = False,
        extra_wait_s: float = 0.0,
    ) -> aiohttp.ClientResponse:
        """Send with what the registry wants to be shown, learning that from its 401. The answer must be released.

        Raises: UpstreamRefused when a second 401 comes, UpstreamForbidden, UpstreamFailed.
        """

        async def attempt() -> aiohttp.ClientResponse:
            authorization = self._authorization.header if same_origin(url, self._registry) else None
            if follow:
                return await self._exchange.follow(method, url, headers, authorization=authorization)
            own = {"Authorization": authorization} if authorization else {}
            return await self._exchange.send(method, url, {**headers, **own}, body=body, extra_wait_s=extra_wait_s)

        shown = self._authorization.header
        response = await attempt()
        if response.status != 401 or not same_origin(response.url, self._registry):
            return response
        response.release()
        await self._authorization.answer(response.headers.getall("WWW-Authenticate", []), refused=shown)
        response = await attempt()
        if response.status == 401 and same_origin(response.url, self._registry):
            response.release()
            raise UpstreamRefused(ACCESS_DENIED)
        return response

    async def manifest(self, reference: str = "") -> bytes:
        """The manifest's own bytes, of the name's tag or of `reference`, a tag or digest (then the bytes match it).

        Raises: UpstreamUnknown, UpstreamRefused, UpstreamForbidden, UpstreamFailed; all with Ollama's messages.
        """
        wanted = reference or self._tag
        with _during("pull model manifest"):
            headers = {"Accept": ACCEPTED_MANIFESTS}
            response = await self.send("GET", self.url(f"manifests/{wanted}"), headers, follow=True)
            try:
                if response.status != 200:
                    raise await refusal(response)
                content = await read_at_most(response, MANIFEST_BYTES_MAX)
            finally:
                response.release()
            if wanted.startswith("sha256:") and digest_of(content) != wanted:
                raise UpstreamFailed(f"digest mismatch, expected {wanted}, got {digest_of(content)}")
            return content

    async def blob_size(self, digest: Digest) -> int:
        """Raises: UpstreamUnknown, UpstreamRefused, UpstreamForbidden, UpstreamFailed."""
        response = await self.send("HEAD", self._blob(digest), {}, follow=True)
        response.release()
        if response.status != 200:
            raise await refusal(response)
        if response.content_length is None:
            raise UpstreamFailed(f"the registry does not say how large {digest} is")
        return response.content_length

    @contextlib.asynccontextmanager
    async def blob_range(self, digest: Digest, start: int, end: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """The blob's bytes of [start, end), exactly those or an error.

        Raises: UpstreamUnknown, UpstreamRefused, UpstreamForbidden, UpstreamFailed, on entering and while reading.
        """
        assert 0 <= start <= end, "a range runs forwards"
        if start == end:
            yield _nothing()
            return
        response = await self._open_range(digest, {"Range": range_header(start, end)})
        try:
            if response.status >= 300:
                raise await refusal(response)
            check_part(response.status, response.headers, start, end)
            async with contextlib.aclosing(_exactly(response, end - start)) as pieces:
                yield pieces
        finally:
            response.release()

    async def _open_range(self, digest: Digest, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Ask the blob's source, which the first to ask learns for the others, and again when it has grown stale."""
        source = self._sources.get(digest)
        if source is None:
            async with self._learning[digest]:
                source = self._sources.get(digest)
                if source is None:
                    return await self._learn(digest, headers)
        if same_origin(source, self._registry):
            return await self._learn(digest, headers)
        try:
            response = await self._exchange.follow("GET", source, headers)
        except UpstreamFailed:
            self._sources.pop(digest, None)  # the next try asks the registry, which may know a better place
            raise
        if response.status not in STALE_STATUSES:
            return response
        response.release()
        return await self._learn(digest, headers)

    async def _learn(self, digest: Digest, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Ask the registry; where its redirects lead is the blob's source."""
        response = await self.send("GET", self._blob(digest), headers, follow=True)
        if response.status < 300:
            self._sources[digest] = response.url
        return response

    async def has_blob(self, digest: Digest) -> bool:
        """Raises: UpstreamRefused, UpstreamForbidden, UpstreamFailed."""
        response = await self.send("HEAD", self._blob(digest), {})
        response.release()
        if response.status < 300 or response.status in REDIRECT_STATUSES:
            return True
        if response.status == 404:
            return False
        raise await refusal(response)

    async def upload_blob(
        self, digest: Digest, path: Path, *, mount_from: str, on_progress: Callable[[int], None]
    ) -> None:
        """Send the file as that blob, or have it taken over from the repository `mount_from` when that has it.

        `on_progress` gets how many bytes of the blob have been sent; after a break-off that may be fewer than before.

        Raises: UpstreamRefused, UpstreamForbidden, UpstreamFailed, BlobMissing.
        """
        await BlobUpload(self, digest, path, self._limits, on_progress=on_progress).run(mount_from)

    async def put_manifest(self, content: bytes) -> None:
        """Publish the manifest under the name's tag.

        Raises: UpstreamRefused, UpstreamForbidden, UpstreamFailed.
        """

        async def body() -> AsyncIterator[bytes]:
            yield content

        headers = {
            "Content-Type": msgspec.json.decode(content, type=_MediaTyped).media_type,
            "Content-Length": str(len(content)),
        }
        response = await self.send("PUT", self.url(f"manifests/{self._tag}"), headers, body=body)
        try:
            if response.status >= 300:
                raise await refusal(response)
        finally:
            response.release()

    def _blob(self, digest: Digest) -> URL:
        return self.url(f"blobs/{digest}")


@contextlib.contextmanager
def _during(what: str) -> Iterator[None]:
    """Say in the message what was being done, as Ollama does."""
    try:
        yield
    except (UpstreamFailed, UpstreamUnknown, UpstreamRefused) as error:
        raise type(error)(f"{what}: {error.message}") from error


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


async def _exactly(response: aiohttp.ClientResponse, wanted_bytes: int) -> AsyncGenerator[bytes]:
    """The body in the pieces it comes in.

    Raises: UpstreamFailed when it breaks off or goes on for too long.
    """
    received_bytes = 0
    while True:
        with failures("GET", response.url):
            chunk = await response.content.readany()
        if not chunk:
            break
        received_bytes += len(chunk)
        if received_bytes > wanted_bytes:
            raise UpstreamFailed(f"the registry sent more than the {wanted_bytes} bytes asked for")
        yield chunk
    if received_bytes < wanted_bytes:
        raise UpstreamFailed(f"the registry sent {received_bytes} of {wanted_bytes} bytes")
