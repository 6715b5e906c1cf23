"""What may be deleted: never what a model needs, what is kept, or what has not been left alone for long enough."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.registry.blob_folder import BlobFile, FileKind
from services.registry.collect import PARTIAL_ABANDONED_S, plan, unreferenced
from services.registry.manifest_store import StoredManifest
from shared.digest import Digest, digest_of
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.model_name import parse_model_name

NOW_UNIX_S = 2_000_000_000.0
GRACE_S = 100.0
DIGESTS = st.sampled_from([digest_of(bytes([n])) for n in range(8)])
BLOBS = st.sets(DIGESTS)


def stored(config: Digest, layers: set[Digest]) -> StoredManifest:
    manifest = Manifest(
        config=Layer(media_type=CONFIG_MEDIA_TYPE, digest=config, size=1),
        layers=tuple(Layer(media_type=MediaType.MODEL, digest=digest, size=1) for digest in sorted(layers)),
    )
    return StoredManifest(name=parse_model_name("m"), manifest=manifest, digest="", modified_unix_ns=0)


def file(kind: FileKind, digest: Digest, age_s: float) -> BlobFile:
    names = {FileKind.BLOB: f"sha256-{digest}", FileKind.PARTIAL: f"sha256-{digest}-partial"}
    return BlobFile(
        path=Path(names.get(kind, f"{kind}-{age_s}")),
        kind=kind,
        digest=digest if kind in names else None,
        size_bytes=1,
        changed_unix_s=NOW_UNIX_S - age_s,
    )


MANIFESTS = st.lists(st.builds(stored, st.sampled_from([digest_of(b"c"), digest_of(b"d")]), BLOBS))
AGES = st.sampled_from([0.0, GRACE_S - 1, GRACE_S, PARTIAL_ABANDONED_S - 1, PARTIAL_ABANDONED_S])
FILES = st.lists(st.builds(file, st.sampled_from(FileKind), DIGESTS, AGES), unique_by=lambda found: found.path)


@given(MANIFESTS, BLOBS)
def test_victims_are_exactly_the_candidates_nobody_needs(
    manifests: list[StoredManifest], candidates: set[Digest]
) -> None:
    victims = unreferenced(manifests, candidates)
    assert victims <= candidates
    for digest in candidates:
        needed = any(digest in manifest.references for manifest in manifests)
        assert (digest in victims) is not needed


@given(FILES, MANIFESTS, BLOBS, st.integers(0, 1))
def test_a_file_goes_exactly_when_its_kind_is_left_alone_and_not_needed(
    files: list[BlobFile], manifests: list[StoredManifest], kept: set[Digest], unread_count: int
) -> None:
    planned = plan(files, manifests, kept, unread_count=unread_count, now_unix_s=NOW_UNIX_S, grace_s=GRACE_S)
    downloading = any(
        found.kind is FileKind.PARTIAL and found.digest not in kept and NOW_UNIX_S - found.changed_unix_s < GRACE_S
        for found in files
    )
    has_lost_manifests = not manifests and any(found.kind is FileKind.BLOB for found in files)
    assert bool(planned.postponed) is bool(unread_count or downloading or has_lost_manifests)
    for found in files:
        age_s = NOW_UNIX_S - found.changed_unix_s
        needed = found.digest in kept or any(found.digest in manifest.references for manifest in manifests)
        expected = {
            FileKind.BLOB: not needed and age_s >= GRACE_S and not planned.postponed,
            FileKind.UPLOAD: age_s >= GRACE_S,
            FileKind.PARTIAL: found.digest not in kept and age_s >= PARTIAL_ABANDONED_S,
            FileKind.OTHER: False,
        }[found.kind]
        assert (found in planned.victims) is expected
