"""Manifests as the registry protocol and Ollama's store have them: read with suspicion, kept as they are.

Source: OCI image specification; Ollama `manifest/manifest.go`.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from corral.client import Json
from corral.errors import CliError

MANIFEST_BYTES_MAX: Final = 4 << 20
BLOB_BYTES_MAX: Final = 1 << 50
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Blob:
    """One part of a model; the config is one too. `origin` is the model it was taken over from, where one is told."""

    media_type: str
    digest: str
    size: int
    origin: str = ""


@dataclass(frozen=True)
class Manifest:
    """A model's parts; `content` are the manifest's own bytes, `annotations` what somebody wrote beside the parts."""

    content: bytes
    config: Blob
    layers: tuple[Blob, ...]
    annotations: dict[str, str]

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Every part once."""
        return tuple({blob.digest: blob for blob in (self.config, *self.layers)}.values())

    @property
    def parts_digest(self) -> str:
        """The same for two manifests exactly when they name the same parts in the same order."""
        parts = [[blob.media_type, blob.digest] for blob in (self.config, *self.layers)]
        return "sha256:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def with_annotation(self, key: str, value: str) -> bytes:
        """The manifest's bytes with an annotation more."""
        document = {**json.loads(self.content), "annotations": {**self.annotations, key: value}}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def parse_manifest(content: bytes) -> Manifest:
    """Raises: CliError."""
    try:
        document = json.loads(content)
        if document["schemaVersion"] != 2:
            raise CliError("the manifest has an unknown version")
        annotations = document.get("annotations") or {}
        return Manifest(
            content=content,
            config=_blob(document["config"]),
            layers=tuple(_blob(layer) for layer in document["layers"]),
            annotations={key: value for key, value in annotations.items() if isinstance(value, str)},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise CliError("the manifest is not one of a model") from cause


def _blob(part: Json) -> Blob:
    digest: Any = part["digest"]
    size: Any = part["size"]
    if not isinstance(digest, str) or not DIGEST.match(digest):
        raise CliError("the manifest names a digest that is none")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= BLOB_BYTES_MAX:
        raise CliError(f"the manifest gives {digest} an impossible size")
    return Blob(str(part["mediaType"]), digest, size, str(part.get("from") or ""))
