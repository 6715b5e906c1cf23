"""Which blobs may go once a manifest has gone: mark (pure) and sweep. When to collect is the library's decision."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from services.registry.blob_store import BlobStore
from services.registry.manifest_store import StoredManifest
from shared.digest import Digest


def unreferenced(manifests: Iterable[StoredManifest], blobs: AbstractSet[Digest]) -> frozenset[Digest]:
    """Those of `blobs` that no manifest needs.

    `blobs` are the ones the removed manifest needed, never all in the store: a blob that was uploaded for a model
    still to be created is referenced by nobody either.
    """
    return frozenset(blobs).difference(*(stored.references for stored in manifests))


def sweep(store: BlobStore, victims: Iterable[Digest]) -> None:
    for digest in victims:
        store.delete(digest)
