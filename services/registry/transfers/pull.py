"""One model from another registry into the store: its manifest, the blobs that are missing, then the manifest again.

Whatever stops it, the model is as it was before, and what has arrived is not fetched again.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from services.registry.blob_store import BlobStore
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore
from services.registry.paths import StorePaths
from services.registry.publishing import on_thread
from services.registry.quota import Quota, Room
from services.registry.transfers.blob_download import BlobDownloads
from services.registry.transfers.partial_files import missing_bytes
from services.registry.transfers.progress import Progress
from services.registry.transfers.pull_plan import WantedBlob, wanted_blobs
from services.registry.transfers.retries import FIRST_TRIES_MAX, retried
from services.registry.upstream.client import Upstream
from services.registry.upstream.repository import Repository
from shared.digest import Digest, hex_of
from shared.errors import ModelFileInvalid, ModelUnknown
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")

PULLING_MANIFEST: Final = Progress(status="pulling manifest")
VERIFYING: Final = Progress(status="verifying sha256 digest")
WRITING: Final = Progress(status="writing manifest")
REMOVING: Final = Progress(status="removing unused layers")
SUCCESS: Final = Progress(status="success")


class Report(Protocol):
    """Who wants to know how a pull is getting on, and whether it may replace a model that has the name at its end."""

    only_if_absent: bool

    def tell(self, progress: Progress) -> None: ...

    def manifest_known(self, content: bytes) -> None: ...

    def blob_published(self, digest: Digest) -> None: ...


class Puller:
    def __init__(
        self,
        upstream: Upstream,
        paths: StorePaths,
        manifests: ManifestStore,
        blobs: BlobStore,
        library: ModelLibrary,
        quota: Quota,
        downloads: BlobDownloads,
    ) -> None:
        self._upstream = upstream
        self._paths = paths
        self._manifests = manifests
        self._blobs = blobs
        self._library = library
        self._quota = quota
        self._downloads = downloads

    async def run(self, name: ModelName, *, insecure: bool, report: Report) -> None:
        """Pull the model, telling each step in Ollama's order; the last one is `success`.

        Raises: UpstreamForbidden before the first step; UpstreamUnknown, UpstreamRefused, UpstreamFailed,
            ModelFileInvalid, CapabilityMissing, StoreFull, DownloadCorrupt.
        """
        name = await on_thread(self._manifests.resolve, name)
        async with self._upstream.repository(name, insecure=insecure) as repository:
            report.tell(PULLING_MANIFEST)
            content = await retried(repository.manifest, tries_max=FIRST_TRIES_MAX)
            wanted = wanted_blobs(content)
            report.manifest_known(content)
            async with self._library.hold(blob.digest for blob in wanted):
                await self._fetch(repository, wanted, report)
                # Every blob was verified while it came in; the step is told because clients show it.
                report.tell(VERIFYING)
                report.tell(WRITING)
                if await on_thread(self._replaces, name, wanted):
                    report.tell(REMOVING)
                await self._library.put(name, content, only_if_absent=report.only_if_absent)
        report.tell(SUCCESS)

    async def _fetch(self, repository: Repository, wanted: Sequence[WantedBlob], report: Report) -> None:
        """Have every blob in the store, one after another."""
        needed_bytes = await on_thread(self._needed_bytes, wanted)
        async with self._quota.reserve(needed_bytes) as room:
            for blob in wanted:
                if self._is_here(blob):
                    report.tell(_pulling(blob, blob.size_bytes))
                else:
                    await self._fetch_blob(repository, blob, room, report)
                report.blob_published(blob.digest)

    async def _fetch_blob(self, repository: Repository, blob: WantedBlob, room: Room, report: Report) -> None:
        size_bytes = await retried(lambda: repository.blob_size(blob.digest))
        if size_bytes != blob.size_bytes:
            raise ModelFileInvalid(
                f"{blob.digest} has {size_bytes} bytes at its registry, its manifest says {blob.size_bytes}"
            )

        def tell(completed: int) -> None:
            report.tell(_pulling(blob, completed))

        await self._downloads.fetch(repository, blob.digest, blob.size_bytes, room=room, tell=tell)
        log.info("blob_pulled", digest=blob.digest, size_bytes=blob.size_bytes)

    def _is_here(self, blob: WantedBlob) -> bool:
        """A file of another length cannot be the blob, so it is fetched again."""
        return self._blobs.size_bytes(blob.digest) == blob.size_bytes

    def _needed_bytes(self, wanted: Sequence[WantedBlob]) -> int:
        missing = (blob for blob in wanted if not self._is_here(blob))
        return sum(missing_bytes(self._paths, blob.digest, blob.size_bytes) for blob in missing)

    def _replaces(self, name: ModelName, wanted: Sequence[WantedBlob]) -> bool:
        """Whether the model that has the name now needs blobs that the new one does not."""
        try:
            references = self._manifests.read(name).references
        except (ModelUnknown, ModelFileInvalid):
            return False
        return not references <= {blob.digest for blob in wanted}


def _pulling(blob: WantedBlob, completed: int) -> Progress:
    return Progress(
        status=f"pulling {hex_of(blob.digest)[:12]}", digest=blob.digest, total=blob.size_bytes, completed=completed
    )
