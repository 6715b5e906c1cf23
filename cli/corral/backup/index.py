"""The first member of a backup: what the others are. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from corral.client import Json
from corral.errors import CliError
from corral.manifests import Blob, parse_manifest
from corral.model_names import ModelName

FORMAT: Final = "corral-backup"
VERSION: Final = 1
WEIGHTS: Final = frozenset(
    f"application/vnd.ollama.image.{kind}" for kind in ("model", "projector", "adapter", "draft")
)
SMALL_BYTES_MAX: Final = 16 << 20
"""The largest part of a model that the cluster itself reads into memory."""


def is_weights(blob: Blob) -> bool:
    """Whether a backup takes this part along only when it is asked to."""
    return blob.media_type in WEIGHTS or blob.size > SMALL_BYTES_MAX


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def index_of(created_at: str, keys: bytes, manifests: Mapping[ModelName, bytes], held: Mapping[str, int]) -> Json:
    """The index of a backup with these members; `held` are the sizes of its blobs.

    Raises: CliError.
    """
    parts = {blob.digest: blob.size for content in manifests.values() for blob in parse_manifest(content).blobs}
    left_out = [size for digest, size in parts.items() if digest not in held]
    return {
        "format": FORMAT,
        "version": VERSION,
        "created_at": created_at,
        "keys": {"count": len(parse_keys(keys)), "digest": digest_of(keys)},
        "models": {name.short: digest_of(content) for name, content in sorted(manifests.items())},
        "blobs": {"count": len(held), "bytes": sum(held.values())},
        "left_out": {"count": len(left_out), "bytes": sum(left_out)},
    }


def encode(document: Json) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def parse_index(content: bytes) -> Json:
    """An index of a version that is understood.

    Raises: CliError.
    """
    index = _object(content)
    if index.get("format") != FORMAT or not isinstance(index.get("created_at"), str):
        raise CliError("this is no backup of a Corral cluster")
    if index.get("version") != VERSION:
        raise CliError(f"the backup has version {index.get('version')!r}; this command understands {VERSION}")
    return index


def parse_keys(content: bytes) -> Json:
    """The records of keys; what is in them is the server's to know.

    Raises: CliError.
    """
    keys = _object(content).get("keys")
    if not isinstance(keys, dict):
        raise CliError("the backup's keys are damaged")
    return keys


def _object(content: bytes) -> Json:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as cause:
        raise CliError("a document of the backup is damaged") from cause
    if not isinstance(value, dict):
        raise CliError("a document of the backup is damaged")
    return value
