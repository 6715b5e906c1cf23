"""The names of an archive's members: made and read. Pure.

Source: Ollama `manifest/paths.go`.
"""

import re
from typing import Final

from corral.errors import CliError
from corral.model_names import ModelName, model_name

MANIFESTS: Final = "manifests"
BLOBS: Final = "blobs"
_BLOB: Final = re.compile(r"sha256-([0-9a-f]{64})\Z")


def blob_member(digest: str) -> str:
    return f"{BLOBS}/{digest.replace(':', '-')}"


def manifest_member(name: ModelName) -> str:
    return "/".join((MANIFESTS, name.host, name.namespace, name.model, name.tag))


def parse_member(path: str) -> ModelName | str:
    """Whose manifest a member is, or the digest of the blob it is.

    Raises: CliError for any other name.
    """
    match path.removeprefix("./").split("/"):
        case [folder, file] if folder == BLOBS and (blob := _BLOB.match(file)):
            return f"sha256:{blob[1]}"
        case [folder, host, namespace, model, tag] if folder == MANIFESTS:
            return model_name(host, namespace, model, tag=tag)
    raise CliError(f"the archive holds {path!r}, which is no part of a model")
