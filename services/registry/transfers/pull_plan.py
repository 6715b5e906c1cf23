"""Which blobs a pulled manifest asks for, and what is wrong with it. Pure."""

from typing import Final

import msgspec

from services.registry.manifest_store import decode_manifest
from shared.digest import Digest
from shared.errors import CapabilityMissing, ModelFileInvalid
from shared.manifest import Manifest, MediaType

BLOB_BYTES_MAX: Final = 1 << 44
"""16 TiB, larger than any model: a manifest that says more is wrong or hostile."""

TENSOR: Final = "application/vnd.ollama.image.tensor"
"""One tensor of a model that only Ollama's MLX runner can run."""

NEEDS_MLX: Final = "this model requires MLX support, but the MLX runtime is not available"


class WantedBlob(msgspec.Struct, frozen=True, kw_only=True):
    digest: Digest
    size_bytes: int


def wanted_blobs(content: bytes) -> tuple[WantedBlob, ...]:
    """The blobs of a manifest in the order Ollama pulls them: layers, then config; each once.

    Raises: ModelFileInvalid, CapabilityMissing for a model that only MLX can run.
    """
    try:
        manifest = decode_manifest(content)
    except ModelFileInvalid as cause:
        raise ModelFileInvalid(f"pull model manifest: {cause.message}") from cause
    if _is_mlx(manifest):
        raise CapabilityMissing(NEEDS_MLX)
    wanted: dict[Digest, WantedBlob] = {}
    for layer in (*manifest.layers, manifest.config):
        if not 0 <= layer.size <= BLOB_BYTES_MAX:
            raise ModelFileInvalid(f"pull model manifest: {layer.digest} cannot have {layer.size} bytes")
        blob = WantedBlob(digest=layer.digest, size_bytes=layer.size)
        if wanted.setdefault(layer.digest, blob) != blob:
            raise ModelFileInvalid(f"pull model manifest: {layer.digest} is listed with two sizes")
    return tuple(wanted.values())


def _is_mlx(manifest: Manifest) -> bool:
    media_types = {layer.media_type for layer in manifest.layers}
    return TENSOR in media_types and MediaType.MODEL not in media_types
