"""What a backup says of itself."""

import pytest

from corral.backup.index import SMALL_BYTES_MAX, index_of, is_weights
from corral.manifests import Blob
from unit.corral.backup.files import CONFIG, KEYS, MANIFEST, NAME, SYSTEM, WEIGHTS, digest

OLLAMAS = "application/vnd.ollama.image."


@pytest.mark.parametrize(
    ("media_type", "size", "wanted"),
    [
        (f"{OLLAMAS}model", 1, True),
        (f"{OLLAMAS}projector", 1, True),
        (f"{OLLAMAS}adapter", 1, True),
        (f"{OLLAMAS}draft", 1, True),
        (f"{OLLAMAS}template", 1, False),
        (f"{OLLAMAS}license", SMALL_BYTES_MAX, False),
        (f"{OLLAMAS}license", SMALL_BYTES_MAX + 1, True),
        ("application/vnd.docker.container.image.v1+json", 500, False),
        ("application/vnd.of.the.future", 500, False),
    ],
)
def test_small_parts_are_always_saved_and_weights_when_asked_for(media_type: str, size: int, wanted: bool) -> None:
    assert is_weights(Blob(media_type, "sha256:" + "a" * 64, size)) is wanted


def test_it_counts_what_is_held_and_what_is_left_out() -> None:
    held = {digest(CONFIG): len(CONFIG), digest(SYSTEM): len(SYSTEM)}
    index = index_of("2026-01-01T00:00:00+00:00", KEYS, {NAME: MANIFEST}, held)
    assert index["keys"] == {"count": 1, "digest": digest(KEYS)}
    assert index["blobs"] == {"count": 2, "bytes": len(CONFIG) + len(SYSTEM)}
    assert index["left_out"] == {"count": 1, "bytes": len(WEIGHTS)}
    assert index["models"] == {"team/bot:1": digest(MANIFEST)}
