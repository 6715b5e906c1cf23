"""A backup's models and keys into a cluster. What is there and differs is newer, and stays unless told otherwise."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from corral.archive.importing import Import, import_model
from corral.backup.checking import Backup
from corral.backup.index import digest_of
from corral.backup.making import listed
from corral.client import Client, Json
from corral.errors import CliError
from corral.manifests import Blob, parse_manifest
from corral.model_names import ModelName, parse_model_name
from corral.registry import Registry
from corral.terminal import Display


class Fate(StrEnum):
    """What becomes of a model; of one that `LACKS` parts nothing is stored, so that nobody takes it for usable."""

    ADDED = "added"
    REPLACED = "replaced"
    SAME = "same"
    KEPT = "kept"
    LACKS = "lacks"


@dataclass(frozen=True)
class Restored:
    name: ModelName
    fate: Fate
    lacking: tuple[Blob, ...] = ()


def restore_keys(backup: Backup, client: Client, *, replace: bool) -> Json:
    """What became of each key, by the server's account."""
    return client.call("POST", "/api/restore/keys", {"keys": backup.keys, "replace": replace})


def fate_of(digest: str, here: str | None, *, replace: bool) -> Fate:
    """What to do with a model, by the digests of the backup's manifest and of the one that has its name here."""
    if here is None:
        return Fate.ADDED
    if here == digest:
        return Fate.SAME
    return Fate.REPLACED if replace else Fate.KEPT


def restore_models(backup: Backup, client: Client, shown: Display, *, replace: bool) -> Iterator[Restored]:
    """Restore one model after the other, telling what became of each.

    Raises: CliError; the models before are restored, all others are as they were.
    """
    registry = Registry(client)
    shown.step("looking at the models that are here")
    models = listed(client)
    digests = {name.folded: digest for name, digest in models.items()}
    restoring = _Restoring(backup, registry, shown, _holders(registry, models))
    for name, content in backup.manifests.items():
        fate = fate_of(digest_of(content), digests.get(name.folded), replace=replace)
        yield Restored(name, fate) if fate is Fate.KEPT else restoring.bring(name, content, fate)


def _holders(registry: Registry, names: Iterable[ModelName]) -> dict[str, ModelName]:
    """The parts that these models name, each with one that does."""
    contents = {name: registry.manifest(name) for name in names}
    manifests = {name: parse_manifest(content) for name, content in contents.items() if content is not None}
    return {blob.digest: name for name, manifest in manifests.items() for blob in manifest.blobs}


@dataclass(frozen=True)
class _Restoring:
    """Models on their way; `holders` grows with each that has arrived."""

    backup: Backup
    registry: Registry
    shown: Display
    holders: dict[str, ModelName]

    def bring(self, name: ModelName, content: bytes, fate: Fate) -> Restored:
        """Send a model with what the cluster has not got of it; or, if nobody has all of it, nothing."""
        blobs = parse_manifest(content).blobs
        missing = tuple(blob for blob in blobs if not self.registry.has_blob(name, blob.digest))
        if fate is Fate.SAME and not missing:
            return Restored(name, fate)
        lacking = tuple(blob for blob in missing if not self._is_somewhere(blob.digest))
        if lacking:
            return Restored(name, Fate.LACKS, lacking)
        import_model(Import(name, content, missing, self.holders), self.backup.contents, self.registry, self.shown)
        self.holders.update((blob.digest, name) for blob in blobs)
        return Restored(name, Fate.REPLACED if fate is Fate.SAME else fate)

    def _is_somewhere(self, digest: str) -> bool:
        holder = self.holders.get(digest)
        return digest in self.backup.contents.blobs or (holder is not None and self.registry.has_blob(holder, digest))


def sources_of(lacking: Iterable[Restored]) -> list[str]:
    """The models whose pull may bring what these lack: each one itself, or the one it was made from."""
    found: dict[str, None] = {}
    for one in lacking:
        for blob in one.lacking:
            found[_model_or(blob.origin, one.name)] = None
    return list(found)


def _model_or(origin: str, name: ModelName) -> str:
    """The origin, where it is a model's name: manifests of other programs may have the path of a file there."""
    try:
        return parse_model_name(origin).short
    except CliError:
        return name.short
