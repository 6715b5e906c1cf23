"""A backup out of a running cluster: first what there is to save is gathered, then it is written as it comes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from corral.archive.exporting import write_models
from corral.archive.writing import Out, write_member
from corral.backup.index import encode, index_of, is_weights
from corral.backup.seal import Sealing
from corral.client import Client, Json
from corral.manifests import Blob, parse_manifest
from corral.model_names import ModelName, parse_model_name
from corral.registry import Registry
from corral.terminal import Display

INDEX: Final = "corral-backup.json"
KEYS: Final = "keys.json"


@dataclass(frozen=True)
class Gathered:
    """What a backup will hold. `broken` are models that cannot be saved, each with a part the cluster has lost."""

    keys: bytes
    manifests: dict[ModelName, bytes] = field(default_factory=dict)
    blobs: dict[str, tuple[ModelName, Blob]] = field(default_factory=dict)
    broken: dict[ModelName, Blob] = field(default_factory=dict)


def gather(client: Client, shown: Display, *, with_weights: bool) -> Gathered:
    """Raises: CliError."""
    shown.step("reading keys and manifests")
    registry = Registry(client)
    gathered = Gathered(encode(client.call("GET", "/api/backup/keys")))
    for name in sorted(listed(client)):
        content = registry.manifest(name)
        if content is not None:  # else it was deleted since the models were listed
            _add(gathered, registry, name, content, with_weights=with_weights)
    return gathered


def listed(client: Client) -> dict[ModelName, str]:
    """The cluster's models, each with the digest of its manifest."""
    models = client.call("GET", "/api/tags").get("models") or ()
    return {parse_model_name(str(model["name"])): f"sha256:{model['digest']}" for model in models}


def _add(gathered: Gathered, registry: Registry, name: ModelName, content: bytes, *, with_weights: bool) -> None:
    wanted = [blob for blob in parse_manifest(content).blobs if with_weights or not is_weights(blob)]
    for blob in wanted:
        # Being asked for, a blob stays for a while, even if its model is deleted before it is read.
        if blob.digest not in gathered.blobs and not registry.has_blob(name, blob.digest):
            gathered.broken[name] = blob
            return
    gathered.manifests[name] = content
    for blob in wanted:
        gathered.blobs.setdefault(blob.digest, (name, blob))


def write_backup(out: Out, gathered: Gathered, registry: Registry, shown: Display) -> Json:
    """Returns the index.

    Raises: CliError; then what was written is no backup, and no `restore` will take it for one.
    """
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    sizes = {digest: blob.size for digest, (_, blob) in gathered.blobs.items()}
    index = index_of(created_at, gathered.keys, gathered.manifests, sizes)
    sealing = Sealing(out)
    for path, content in ((INDEX, encode(index)), (KEYS, gathered.keys)):
        write_member(sealing, path, len(content), [content])
    write_models(sealing, registry, gathered.manifests, gathered.blobs, shown)
    sealing.seal()
    return index
