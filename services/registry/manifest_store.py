"""Manifests and their names. A written manifest never names a missing blob. What its layers hold is not known here."""

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from services.registry.blob_store import BlobStore, missing
from services.registry.paths import StorePaths
from services.registry.publishing import Upload
from shared.digest import Digest, parse_digest
from shared.errors import DigestInvalid, ModelFileInvalid, ModelUnknown
from shared.manifest import Layer, Manifest
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")


class StoredManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest as it lies on disk; `digest` is the bare hex of the file's bytes."""

    name: ModelName
    manifest: Manifest
    digest: str
    modified_unix_ns: int

    @property
    def references(self) -> frozenset[Digest]:
        """Every blob this model needs."""
        return frozenset({self.manifest.config.digest, *(layer.digest for layer in self.manifest.layers)})


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds, and how many manifests could not be read."""

    manifests: tuple[StoredManifest, ...]
    corrupt_count: int


def existing_spelling(name: ModelName, stored: Iterable[ModelName]) -> ModelName:
    """The stored name equal to `name` but for letter case; else `name` with every part spelt as a stored one.

    Source: Ollama `server/routes.go`, getExistingName.
    """
    names = list(stored)
    if name in names:
        return name
    for other in names:
        if other.folded == name.folded:
            return other
    return ModelName(
        host=_spelling(name.host, (other.host for other in names)),
        namespace=_spelling(name.namespace, (other.namespace for other in names)),
        model=_spelling(name.model, (other.model for other in names)),
        tag=_spelling(name.tag, (other.tag for other in names)),
    )


def _spelling(part: str, stored: Iterable[str]) -> str:
    return next((known for known in stored if known.lower() == part.lower()), part)


def decode_manifest(content: bytes) -> Manifest:
    """Read a manifest, with every digest in its canonical form.

    Raises: ModelFileInvalid.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        return msgspec.structs.replace(
            manifest,
            config=_canonical(manifest.config),
            layers=tuple(_canonical(layer) for layer in manifest.layers),
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DigestInvalid) as cause:
        raise ModelFileInvalid(f"the manifest is corrupt: {cause}") from cause


def _canonical(layer: Layer) -> Layer:
    return msgspec.structs.replace(layer, digest=parse_digest(layer.digest))


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes a locally created manifest has, as Ollama writes them."""
    return msgspec.json.encode(manifest) + b"\n"


class ManifestStore:
    def __init__(self, paths: StorePaths, blobs: BlobStore) -> None:
        self._paths = paths
        self._blobs = blobs

    def scan(self) -> Scan:
        """Every manifest; a corrupt one is passed over with a warning. A missing folder counts as one: who knows what
        was in it."""
        found: list[StoredManifest] = []
        corrupt_count = 0
        if not self._paths.has_manifests_folder():
            corrupt_count = 1
            log.warning("manifests_folder_lost")
        for name, path in self._paths.manifest_files():
            try:
                if name is None:
                    raise ModelFileInvalid("its path is not a model's name")
                found.append(_load(name, path)[0])
            except FileNotFoundError:
                continue  # deleted since the folder was read
            except (ModelFileInvalid, OSError) as error:
                corrupt_count += 1
                log.warning("manifest_skipped", file=str(path), reason=str(error))
        return Scan(manifests=tuple(found), corrupt_count=corrupt_count)

    def fingerprint(self) -> frozenset[tuple[str, int]]:
        """Changes whenever a manifest appears, changes or goes, whoever did it."""
        marks: set[tuple[str, int]] = set()
        for name, path in self._paths.manifests():
            try:
                marks.add((name.full, path.stat().st_mtime_ns))
            except FileNotFoundError:
                continue
        return frozenset(marks)

    def resolve(self, name: ModelName) -> ModelName:
        """The name in the spelling the store uses, whether or not the model exists."""
        return existing_spelling(name, (stored for stored, _ in self._paths.manifests()))

    def resolve_repository(self, name: ModelName) -> ModelName:
        """The name with its repository in the spelling the store uses; the tag is left as it is."""
        if self._paths.manifest(name).parent.is_dir():
            return name
        return msgspec.structs.replace(self.resolve(name), tag=name.tag)

    def repository(self, name: ModelName) -> tuple[StoredManifest, ...]:
        """The repository's readable manifests, in order of their tags; `name` is spelt as the store spells it."""
        found: list[StoredManifest] = []
        for tagged, path in self._paths.tags(name):
            with contextlib.suppress(FileNotFoundError, ModelFileInvalid):
                found.append(_load(tagged, path)[0])
        return tuple(found)

    def names(self) -> list[ModelName]:
        return [name for name, _ in self._paths.manifests()]

    def read(self, name: ModelName) -> StoredManifest:
        """Raises: ModelUnknown, ModelFileInvalid."""
        return self.read_with_content(name)[0]

    def read_with_content(self, name: ModelName) -> tuple[StoredManifest, bytes]:
        """The manifest, and its bytes as they were written.

        Raises: ModelUnknown, ModelFileInvalid.
        """
        try:
            return _load(name, self._paths.manifest(name))
        except (FileNotFoundError, NotADirectoryError) as cause:
            raise ModelUnknown(f"model '{name.short}' not found") from cause

    def write(self, name: ModelName, content: bytes) -> None:
        """Put a manifest under `name`, replacing any there in one step.

        Raises: ModelFileInvalid, BlobMissing (nothing was written).
        """
        manifest = decode_manifest(content)
        for layer in (manifest.config, *manifest.layers):
            if self._blobs.size_bytes(layer.digest) is None:
                raise missing(layer.digest)
        target = self._paths.manifest(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with Upload(self._paths.new_upload()) as upload:
            upload.write(content)
            upload.publish(target)

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Raises: ModelUnknown, ModelFileInvalid, BlobMissing."""
        self.write(destination, self.read_with_content(source)[1])

    def delete(self, name: ModelName) -> None:
        """Raises: ModelUnknown."""
        try:
            self._paths.remove_manifest(name)
        except FileNotFoundError as cause:
            raise ModelUnknown(f"model '{name.short}' not found") from cause


def _load(name: ModelName, path: Path) -> tuple[StoredManifest, bytes]:
    content = path.read_bytes()
    stored = StoredManifest(
        name=name,
        manifest=decode_manifest(content),
        digest=hashlib.sha256(content).hexdigest(),
        modified_unix_ns=path.stat().st_mtime_ns,
    )
    return stored, content
