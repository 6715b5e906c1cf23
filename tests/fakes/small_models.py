"""Whole models small enough to push and pull in a test: a manifest, and the blobs it names."""

import json
from collections.abc import Mapping

import msgspec

from fakes import gguf_files as fake
from shared.digest import Digest, digest_of
from shared.manifest import CONFIG_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, MediaType

CONFIG = (
    b'{"model_format":"gguf","model_family":"llama","model_families":["llama"],"model_type":"2.6K",'
    b'"file_type":"Q8_0","architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
)


class SmallModel(msgspec.Struct, frozen=True, kw_only=True):
    manifest: bytes
    blobs: dict[Digest, bytes]

    @property
    def digest(self) -> Digest:
        return digest_of(self.manifest)


def small_model(layers: Mapping[str, bytes] | None = None, *, weights: bytes | None = None) -> SmallModel:
    """A model with these layers besides its weights. The manifest ends without a line break, as pulled ones do."""
    contents = {MediaType.MODEL: weights or fake.tiny_model(), **(layers or {})}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "config": described(CONFIG_MEDIA_TYPE, CONFIG),
        "layers": [described(media_type, content) for media_type, content in contents.items()],
    }
    return SmallModel(
        manifest=json.dumps(manifest).encode(),
        blobs={digest_of(content): content for content in (CONFIG, *contents.values())},
    )


def described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
