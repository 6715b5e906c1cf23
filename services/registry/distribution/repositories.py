"""What a repository has: its manifests, and which of the store's blobs may be reached through it.

Blobs are stored once for all models, but a key may be allowed one model and not another, and digests are no secrets.
So a blob is reached in a repository only when one of its manifests names it, when it has just been sent or mounted
there for a manifest to come, or when no manifest of the store names it at all (then it waits for one: an upload from
before a restart). Who wants another repository's blob mounts it from there, or proves to have it by sending it.
"""

import contextlib

from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, StoredManifest
from services.registry.promises import repository_key
from services.registry.publishing import on_thread
from shared.digest import Digest, hex_of
from shared.errors import ModelFileInvalid, ModelUnknown
from shared.model_name import ModelName


class Repositories:
    def __init__(self, manifests: ManifestStore, blobs: BlobStore, library: ModelLibrary) -> None:
        self._manifests = manifests
        self._blobs = blobs
        self._library = library

    async def names(self) -> list[ModelName]:
        """Every model's name."""
        return await on_thread(self._manifests.names)

    async def manifests(self, repository: ModelName) -> tuple[StoredManifest, ...]:
        """The repository's manifests, in order of their tags; none when it does not exist."""
        return await on_thread(self._read_all, repository)

    async def find(self, name: ModelName, digest: Digest | None) -> tuple[StoredManifest, bytes] | None:
        """The manifest of that tag, or with `digest` the one of any tag that has it; and its bytes."""
        if digest is None:
            return await on_thread(self._read, name)
        for stored in await self.with_digest(name, digest):
            return await on_thread(self._read, stored.name)
        return None

    async def with_digest(self, repository: ModelName, digest: Digest) -> list[StoredManifest]:
        """The repository's manifests, under whichever tags, whose bytes have this digest."""
        return [stored for stored in await self.manifests(repository) if stored.digest == hex_of(digest)]

    async def reaches(self, repository: ModelName, digest: Digest) -> bool:
        """Whether the blob is in the store and the repository's to show."""
        if self._blobs.size_bytes(digest) is None:
            return False
        if self._library.promised(digest, repository_key(repository)):
            return True
        return await on_thread(self._names_it_or_nobody_does, repository, digest)

    async def names_it(self, repository: ModelName, digest: Digest) -> bool:
        """Whether one of the repository's manifests names the blob."""
        return await on_thread(self._names_it, repository, digest)

    async def is_pulled(self, repository: ModelName, digest: Digest) -> None:
        """A blob of one of the repository's models is read: whoever asked for it was not pushing it."""
        key = repository_key(repository)
        if self._library.promised(digest, key) and await on_thread(self._names_it, repository, digest):
            self._library.withdraw_promise(digest, key)

    def _names_it(self, repository: ModelName, digest: Digest) -> bool:
        return any(digest in stored.references for stored in self._read_all(repository))

    def _names_it_or_nobody_does(self, repository: ModelName, digest: Digest) -> bool:
        if self._names_it(repository, digest):
            return True
        scan = self._manifests.scan()
        # A manifest that cannot be read may name it: then it is somebody's.
        return not scan.corrupt_count and not any(digest in stored.references for stored in scan.manifests)

    def _read_all(self, repository: ModelName) -> tuple[StoredManifest, ...]:
        return self._manifests.repository(self._manifests.resolve_repository(repository))

    def _read(self, name: ModelName) -> tuple[StoredManifest, bytes] | None:
        # One that cannot be read is as good as none: another may be pushed or fetched in its place.
        with contextlib.suppress(ModelUnknown, ModelFileInvalid):
            return self._manifests.read_with_content(self._manifests.resolve(name))
        return None
