"""What may be deleted from the blobs folder: mark (pure) and sweep. When, and under which lock, is the library's.

Blobs go in two ways. A model that is deleted takes along at once what only it needed. Everything else that no
manifest names (what a replaced model needed, pushes that were given up, uploads nobody made a model of) goes when it
has been left alone for a grace period: a queued generation may still load the replaced weights, and a push sends its
manifest last. Ollama may work on the same store: while a download of somebody else is under way, the finished layers
of that model are named by no manifest either, so nothing goes. Neither does anything while there is no manifest at all:
they may lie on a volume that is missing, and what the last model needed went with it.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from services.registry.blob_folder import BlobFile, FileKind
from services.registry.blob_store import BlobStore
from services.registry.manifest_store import StoredManifest
from shared.digest import Digest

PARTIAL_ABANDONED_S: Final = 86_400.0
"""A partial download left alone for this long is not resumed any more."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`victims` may be deleted now; `postponed` says why no blob is among them, when there is a reason."""

    victims: tuple[BlobFile, ...]
    postponed: str = ""


def unreferenced(manifests: Iterable[StoredManifest], blobs: AbstractSet[Digest]) -> frozenset[Digest]:
    """Those of `blobs` that no manifest needs."""
    return frozenset(blobs).difference(*(stored.references for stored in manifests))


def plan(
    files: Iterable[BlobFile],
    manifests: Iterable[StoredManifest],
    kept: AbstractSet[Digest],
    *,
    unread_count: int,
    now_unix_s: float,
    grace_s: float,
) -> Plan:
    """Mark what nobody needs and nobody has touched lately.

    `kept` are the digests that are held or promised. An unread manifest may need any blob, so then all of them stay.
    """
    found, stored = tuple(files), tuple(manifests)
    unneeded = unreferenced(stored, {file.digest for file in found if file.digest is not None}) - kept

    def idle(file: BlobFile, at_least_s: float) -> bool:
        return now_unix_s - file.changed_unix_s >= at_least_s

    def may_go(file: BlobFile) -> bool:
        match file.kind:
            case FileKind.BLOB:
                return not postponed and file.digest in unneeded and idle(file, grace_s)
            case FileKind.UPLOAD:
                return idle(file, grace_s)
            case FileKind.PARTIAL:
                return file.digest not in kept and idle(file, max(PARTIAL_ABANDONED_S, grace_s))
            case FileKind.OTHER:
                return False

    foreign = [file for file in found if file.kind is FileKind.PARTIAL and file.digest not in kept]
    postponed = ""
    if unread_count:
        postponed = f"{unread_count} manifests cannot be read"
    elif not stored and any(file.kind is FileKind.BLOB for file in found):
        postponed = "there are blobs and no manifests"
    elif any(not idle(file, grace_s) for file in foreign):
        postponed = "another program is downloading into the store"
    return Plan(victims=tuple(file for file in found if may_go(file)), postponed=postponed)


def sweep(store: BlobStore, victims: Iterable[Digest]) -> None:
    for digest in victims:
        store.delete(digest)


def remove(victims: Iterable[BlobFile]) -> None:
    for file in victims:
        file.path.unlink(missing_ok=True)
