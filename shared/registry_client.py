"""HTTP client of the registry's blobs, verifying what it reads. Keeping what was read is the caller's business."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import hdrs

from shared.digest import Digest, HashingCopy
from shared.errors import BlobUnknown, DigestMismatch, Forbidden, Unavailable
from shared.settings import Secret

CHUNK_BYTES: Final = 1 << 20
STANDSTILLS_MAX: Final = 5
"""How often in a row a download may break off without having brought anything."""
PAUSE_S: Final = 0.5


class RegistryClient:
    """Reads blobs from the registry, or from a gateway in front of it, which asks for a key.

    The session belongs to the caller.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, *, key: Secret | None = None) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {hdrs.AUTHORIZATION: f"Bearer {key.reveal()}"} if key else {}

    async def read_blob(self, digest: Digest) -> AsyncIterator[bytes]:
        """Yield the blob's bytes in chunks, going on where a connection broke.

        Raises: BlobUnknown, Forbidden (the key is not good for this), Unavailable (unreachable, or cut again and
            again), DigestMismatch (after the last chunk: what was read must be thrown away).
        """
        copied = HashingCopy()
        standstills_count = 0
        while True:
            before_bytes = copied.size_bytes
            try:
                async for chunk in self._rest(digest, before_bytes):
                    copied.update(chunk)
                    yield chunk
                break
            except (aiohttp.ClientError, TimeoutError) as cause:
                standstills_count = 0 if copied.size_bytes > before_bytes else standstills_count + 1
                if standstills_count >= STANDSTILLS_MAX or not _may_pass(cause):
                    raise Unavailable(f"the registry did not deliver {digest}: {cause}", retry_after_s=1.0) from cause
                await asyncio.sleep(PAUSE_S)
        if copied.digest != digest:
            raise DigestMismatch(wanted=digest, got=copied.digest)

    async def _rest(self, digest: Digest, from_bytes: int) -> AsyncIterator[bytes]:
        """What comes after the first `from_bytes`.

        Raises: BlobUnknown, Forbidden, aiohttp.ClientError.
        """
        headers = {**self._headers, hdrs.RANGE: f"bytes={from_bytes}-"} if from_bytes else self._headers
        async with self._session.get(f"{self._url}/api/blobs/{digest}", headers=headers) as response:
            if response.status == 404:
                raise BlobUnknown(f"blob {digest} is not in the registry")
            if response.status in (401, 403):
                raise Forbidden(f"the registry refuses this worker's key: {(await response.text())[:200]}")
            response.raise_for_status()
            if from_bytes and response.status != 206:
                raise Unavailable(f"the registry does not give the rest of {digest}", retry_after_s=1.0)
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                yield chunk


def _may_pass(cause: Exception) -> bool:
    """A connection may come back, and so may a server that fails; what it refuses, it refuses again."""
    return not isinstance(cause, aiohttp.ClientResponseError) or cause.status >= 500
