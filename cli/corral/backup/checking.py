"""A backup's file, read as if it were hostile and in full before anything is done with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from corral.archive.importing import require_sizes
from corral.archive.reading import Contents, read_contents
from corral.backup.index import index_of, parse_index, parse_keys
from corral.backup.making import INDEX, KEYS
from corral.backup.seal import SEAL, require_sealed
from corral.client import Json
from corral.errors import CliError
from corral.manifests import parse_manifest
from corral.model_names import ModelName

INDEX_BYTES_MAX: Final = 16 << 20
KEYS_BYTES_MAX: Final = 64 << 20
"""What a gateway takes as one body, unless it was told otherwise."""


@dataclass(frozen=True)
class Backup:
    """A backup that is whole, unchanged since it was made, and consistent in itself."""

    contents: Contents
    index: Json
    keys: Json
    manifests: dict[ModelName, bytes]


def read_backup(path: Path) -> Backup:
    """Raises: CliError for a file that is anything else than a backup as it was written."""
    contents = read_contents(path, documents=(INDEX, KEYS, SEAL))
    index = parse_index(contents.document(INDEX, bytes_max=INDEX_BYTES_MAX))
    require_sealed(path, contents.blobs)
    keys = contents.document(KEYS, bytes_max=KEYS_BYTES_MAX)
    manifests = {name: contents.manifest(name) for name in sorted(contents.manifests)}
    for content in manifests.values():
        require_sizes(parse_manifest(content).blobs, contents)
    held = {digest: span.size for digest, span in contents.blobs.items()}
    if index != index_of(index["created_at"], keys, manifests, held):
        raise CliError(f"{path} is damaged: it does not hold what its {INDEX} says")
    return Backup(contents, index, parse_keys(keys), manifests)
