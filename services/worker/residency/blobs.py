"""Where a model's weights are on this machine: in the store if it is here, else fetched once into a local cache."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shared.digest import Digest
from shared.registry_client import RegistryClient


class LocalBlobs:
    """Read-only paths of blobs. Names in the cache are the store's, so an administrator finds them by digest."""

    def __init__(self, *, models_dir: Path | None, cache_dir: Path, registry: RegistryClient) -> None:
        self._models_dir = models_dir
        self._cache_dir = cache_dir
        self._registry = registry

    async def path(self, digest: Digest) -> Path:
        """A local file with the blob's verified content.

        Raises: BlobUnknown, Unavailable, DigestMismatch (nothing is left behind).
        """
        name = digest.replace(":", "-")
        if self._models_dir is not None and (stored := self._models_dir / "blobs" / name).exists():
            return stored
        cached = self._cache_dir / name
        if not cached.exists():
            await self._fetch(digest, cached)
        return cached

    async def _fetch(self, digest: Digest, target: Path) -> None:
        self._cache_dir.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=target.name + ".", dir=self._cache_dir)
        with _removed_unless_renamed(Path(temporary)):
            with os.fdopen(handle, "wb") as file:
                async for chunk in self._registry.read_blob(digest):
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(Path(temporary).rename, target)


@contextlib.contextmanager
def _removed_unless_renamed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
