"""What may be deleted with a model: never what another model needs, never what was not its own."""

from hypothesis import given
from hypothesis import strategies as st

from services.registry.collect import unreferenced
from services.registry.manifest_store import StoredManifest
from shared.digest import Digest, digest_of
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType
from shared.model_name import parse_model_name

BLOBS = st.sets(st.sampled_from([digest_of(bytes([n])) for n in range(8)]))


def stored(config: Digest, layers: set[Digest]) -> StoredManifest:
    manifest = Manifest(
        config=Layer(media_type=CONFIG_MEDIA_TYPE, digest=config, size=1),
        layers=tuple(Layer(media_type=MediaType.MODEL, digest=digest, size=1) for digest in sorted(layers)),
    )
    return StoredManifest(name=parse_model_name("m"), manifest=manifest, digest="", modified_unix_ns=0)


MANIFESTS = st.lists(st.builds(stored, st.sampled_from([digest_of(b"c"), digest_of(b"d")]), BLOBS))


@given(MANIFESTS, BLOBS)
def test_victims_are_exactly_the_candidates_nobody_needs(
    manifests: list[StoredManifest], candidates: set[Digest]
) -> None:
    victims = unreferenced(manifests, candidates)
    assert victims <= candidates
    for digest in candidates:
        needed = any(digest in manifest.references for manifest in manifests)
        assert (digest in victims) is not needed
