"""Where everything lies on disk. Ollama's layout, so that its store can be used as it is; the only joiner of paths.

    <models_dir>/
      manifests/<host>/<namespace>/<model>/<tag>   JSON, exactly four levels deep
      blobs/sha256-<64 hex>                        content-addressed, immutable once there
      blobs/sha256-<64 hex>-partial[-<n>]          a download under way, Ollama's or ours: data (sparse) and its state
      blobs/upload-<random>                        being written; ours alone, renamed when complete

Every part of a name was checked by `shared.model_name` and cannot begin with a dot or hold a slash, and every digest
by `shared.digest`; so no path leaves the folder. What of `blobs` may go is decided in `collect`.
Source: Ollama `manifest/paths.go`.
"""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.digest import Digest, hex_of, parse_digest
from shared.errors import ModelNameInvalid
from shared.model_name import ModelName, parse_model_name

UPLOAD_PREFIX: Final = "upload-"

_UPLOAD_ID: Final = re.compile(r"[0-9a-f]{32}")
_PART_STATE: Final = re.compile(r"sha256-[0-9a-f]{64}-partial-[0-9]{1,9}")
_COLON_NAME: Final = re.compile(r"sha256:[0-9a-fA-F]{64}")


class StorePaths:
    def __init__(self, models_dir: Path) -> None:
        self._blobs = models_dir / "blobs"
        self._manifests = models_dir / "manifests"

    def create_folders(self) -> None:
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._manifests.mkdir(parents=True, exist_ok=True)

    def has_manifests_folder(self) -> bool:
        """False when it was removed, or is on a volume that is not there."""
        return self._manifests.is_dir()

    @property
    def blobs(self) -> Path:
        return self._blobs

    def blob(self, digest: Digest) -> Path:
        return self._blobs / f"sha256-{hex_of(digest)}"

    def partial(self, digest: Digest) -> Path:
        """Where a download of the blob collects its data."""
        return self._blobs / f"sha256-{hex_of(digest)}-partial"

    def part_state(self, digest: Digest, number: int) -> Path:
        """Where it keeps how far one part of it is."""
        return self._blobs / f"sha256-{hex_of(digest)}-partial-{number}"

    def part_states(self, digest: Digest) -> list[Path]:
        return self._part_states(hex_of(digest))

    def all_part_states(self) -> list[Path]:
        """Those of every download."""
        return self._part_states("*")

    def _part_states(self, digits: str) -> list[Path]:
        return [path for path in self._blobs.glob(f"sha256-{digits}-partial-*") if _PART_STATE.fullmatch(path.name)]

    def new_upload(self) -> Path:
        """A fresh path on the same file system as everything it may be renamed to."""
        return self._blobs / f"{UPLOAD_PREFIX}{secrets.token_hex(16)}"

    def upload(self, upload_id: str) -> Path | None:
        """Where an upload of that id lies; None when the text cannot be an id."""
        return self._blobs / f"{UPLOAD_PREFIX}{upload_id}" if _UPLOAD_ID.fullmatch(upload_id) else None

    def manifest(self, name: ModelName) -> Path:
        return self._manifests / name.host / name.namespace / name.model / name.tag

    def manifests(self) -> Iterator[tuple[ModelName, Path]]:
        """Every file that lies where a manifest may lie and whose path spells a valid name."""
        return ((name, path) for name, path in self.manifest_files() if name is not None)

    def tags(self, repository: ModelName) -> list[tuple[ModelName, Path]]:
        """The manifests of one repository in exactly this spelling, in order of their tags."""
        named = (self._named(path) for path in _files(self.manifest(repository).parent, depth=0))
        return [(name, path) for name, path in named if name is not None]

    def manifest_files(self) -> Iterator[tuple[ModelName | None, Path]]:
        """Every file where a manifest may lie; None for a path that is no valid name. Hidden files are no manifests."""
        return map(self._named, _files(self._manifests, depth=3))

    def _named(self, path: Path) -> tuple[ModelName | None, Path]:
        host, namespace, model, tag = path.relative_to(self._manifests).parts
        try:
            return parse_model_name(f"{host}/{namespace}/{model}:{tag}"), path
        except ModelNameInvalid:
            return None, path

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

    def adopt_colon_names(self) -> int:
        """Rename blobs that an old version of Ollama named `sha256:<hex>`; returns how many there were.

        Source: Ollama `server/fixblobs.go`.
        """
        old_names = [path for path in self._blobs.glob("sha256:*") if _COLON_NAME.fullmatch(path.name)]
        for path in old_names:
            path.rename(self.blob(parse_digest(path.name)))
        return len(old_names)


def _files(folder: Path, *, depth: int) -> Iterator[Path]:
    """The files so many folders deeper, in order, without hidden ones. What vanishes meanwhile is left out."""
    try:
        children = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for child in children:
        if child.name.startswith("."):
            continue
        if depth:
            yield from _files(child, depth=depth - 1)
        elif child.is_file():
            yield child
