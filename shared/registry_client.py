"""HTTP client of the registry's blobs, verifying what it reads. Keeping what was read is the caller's business."""

from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from shared.digest import Digest, HashingCopy
from shared.errors import BlobUnknown, DigestMismatch, Unavailable

CHUNK_BYTES: Final = 1 << 20


class RegistryClient:
    """Reads blobs from one registry; the session belongs to the caller."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def read_blob(self, digest: Digest) -> AsyncIterator[bytes]:
        """Yield the blob's bytes in chunks.

        Raises: BlobUnknown, Unavailable (registry unreachable or connection cut), DigestMismatch (after the last
            chunk: what was read must be thrown away).
        """
        copied = HashingCopy()
        try:
            async with self._session.get(f"{self._url}/internal/blobs/{digest}") as response:
                if response.status == 404:
                    raise BlobUnknown(f"blob {digest} is not in the registry")
                response.raise_for_status()
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    copied.update(chunk)
                    yield chunk
        except aiohttp.ClientError as cause:
            raise Unavailable(f"the registry did not deliver {digest}: {cause}", retry_after_s=1.0) from cause
        if copied.digest != digest:
            raise DigestMismatch(wanted=digest, got=copied.digest)
