"""What a manifest asks for, and manifests that ask for what cannot be."""

import json
from typing import Any

import pytest

from services.registry.transfers.pull_plan import NEEDS_MLX, TENSOR, WantedBlob, wanted_blobs
from shared.digest import Digest, digest_of, hex_of
from shared.errors import CapabilityMissing, ModelFileInvalid
from shared.manifest import CONFIG_MEDIA_TYPE, MediaType

ONE, TWO, CONFIG = (digest_of(name) for name in (b"one", b"two", b"config"))


def layer(media_type: str, digest: str, size: Any = 3) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def manifest(*layers: dict[str, object]) -> bytes:
    content = {"schemaVersion": 2, "config": layer(CONFIG_MEDIA_TYPE, CONFIG, 6), "layers": layers}
    return json.dumps(content).encode()


def wanted(digest: Digest, size_bytes: int = 3) -> WantedBlob:
    return WantedBlob(digest=digest, size_bytes=size_bytes)


def test_layers_come_first_then_the_config_and_each_blob_once() -> None:
    content = manifest(layer(MediaType.MODEL, TWO), layer("application/x-unheard-of", ONE), layer("again", TWO))
    assert wanted_blobs(content) == (wanted(TWO), wanted(ONE), wanted(CONFIG, 6))


def test_digests_are_read_in_every_spelling_ollama_knows() -> None:
    content = manifest(layer(MediaType.MODEL, "sha256-" + hex_of(ONE).upper()))
    assert wanted_blobs(content)[0] == wanted(ONE)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>", "pull model manifest: the manifest is corrupt"),
        (b'{"schemaVersion":2,"manifests":[]}', "pull model manifest: the manifest is corrupt"),
        (manifest(layer(MediaType.MODEL, "sha256:../../etc/passwd")), "the manifest is corrupt: invalid digest format"),
        (manifest(layer(MediaType.MODEL, ONE, -1)), f"{ONE} cannot have -1 bytes"),
        (manifest(layer(MediaType.MODEL, ONE, 1 << 60)), f"{ONE} cannot have {1 << 60} bytes"),
        (manifest(layer(MediaType.MODEL, ONE, 1e300)), "the manifest is corrupt"),
        (manifest(layer(MediaType.MODEL, ONE), layer("again", ONE, 4)), f"{ONE} is listed with two sizes"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ModelFileInvalid) as refused:
        wanted_blobs(content)
    assert reason in refused.value.message


def test_a_model_of_nothing_but_tensors_needs_mlx() -> None:
    with pytest.raises(CapabilityMissing, match=NEEDS_MLX):
        wanted_blobs(manifest(layer(TENSOR, ONE), layer("application/vnd.ollama.image.json", TWO)))
    assert wanted_blobs(manifest(layer(MediaType.MODEL, ONE), layer(TENSOR, TWO)))
