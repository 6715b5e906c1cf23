"""Where everything lies on disk. Ollama's layout, so that its store can be used as it is; the only joiner of paths.

    <models_dir>/
      manifests/<host>/<namespace>/<model>/<tag>   JSON, exactly four levels deep
      blobs/sha256-<64 hex>                        content-addressed, immutable once there
      blobs/upload-<random>                        being written; ours alone, renamed when complete

Every part of a name was checked by `shared.model_name` and cannot begin with a dot or hold a slash, and every digest
by `shared.digest`; so no path leaves the folder.
Source: Ollama `manifest/paths.go`.
"""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.digest import Digest, hex_of
from shared.errors import ModelNameInvalid
from shared.model_name import ModelName, parse_model_name

UPLOAD_ABANDONED_S: Final = 3600.0
"""An upload untouched for this long belongs to a process that died."""

_UPLOAD_PREFIX: Final = "upload-"


class StorePaths:
    def __init__(self, models_dir: Path) -> None:
        self._blobs = models_dir / "blobs"
        self._manifests = models_dir / "manifests"

    def create_folders(self) -> None:
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._manifests.mkdir(parents=True, exist_ok=True)

    def blob(self, digest: Digest) -> Path:
        return self._blobs / f"sha256-{hex_of(digest)}"

    def new_upload(self) -> Path:
        """A fresh path on the same file system as everything it may be renamed to."""
        return self._blobs / f"{_UPLOAD_PREFIX}{secrets.token_hex(16)}"

    def manifest(self, name: ModelName) -> Path:
        return self._manifests / name.host / name.namespace / name.model / name.tag

    def manifests(self) -> Iterator[tuple[ModelName, Path]]:
        """Every file that lies where a manifest may lie and whose path spells a valid name."""
        for path in sorted(self._manifests.glob("*/*/*/*")):
            host, namespace, model, tag = path.relative_to(self._manifests).parts
            try:
                name = parse_model_name(f"{host}/{namespace}/{model}:{tag}")
            except ModelNameInvalid:
                continue
            if path.is_file():
                yield name, path

    def remove_manifest(self, name: ModelName) -> None:
        """Remove the file, and the folders that have become empty.

        Raises: FileNotFoundError.
        """
        path = self.manifest(name)
        path.unlink()
        for folder in path.parents[:3]:
            if any(folder.iterdir()):
                break
            folder.rmdir()

    def remove_abandoned_uploads(self) -> int:
        """Clear what a crash left behind; returns how many files went."""
        oldest_unix_s = time.time() - UPLOAD_ABANDONED_S
        abandoned = [path for path in self._blobs.glob(f"{_UPLOAD_PREFIX}*") if path.lstat().st_mtime < oldest_unix_s]
        for path in abandoned:
            path.unlink(missing_ok=True)
        return len(abandoned)
