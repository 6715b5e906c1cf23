"""Reads of the store that take several parts together: the index, the listing, one model in full. Blocking."""

import structlog

from services.registry.blob_store import BlobStore
from services.registry.content import read_config, read_content, weights_layer
from services.registry.describe import ShowChanges, index_entry, listing_row, show_reply
from services.registry.headers import Headers
from services.registry.manifest_store import ManifestStore, StoredManifest
from services.registry.model_facts import ModelFacts
from shared.errors import CorralError, ModelFileInvalid
from shared.model_index import ModelEntry
from shared.model_name import ModelName

log = structlog.get_logger("corral.registry")


class Catalog:
    def __init__(self, manifests: ManifestStore, blobs: BlobStore, headers: Headers) -> None:
        self._manifests = manifests
        self._blobs = blobs
        self._headers = headers

    def entries(self) -> list[ModelEntry]:
        """Every model that can be served; the others are passed over with a warning."""
        found: list[ModelEntry] = []
        scan = self._manifests.scan()
        for stored in scan.manifests:
            try:
                entry = self._entry(stored)
            except (CorralError, OSError) as error:
                log.warning("model_not_served", model=stored.name.full, reason=str(error))
                continue
            if entry is not None:
                found.append(entry)
        weights = (weights_layer(stored.manifest) for stored in scan.manifests)
        self._headers.forget_all_but(frozenset(layer.digest for layer in weights if layer))
        return found

    def _entry(self, stored: StoredManifest) -> ModelEntry | None:
        weights = weights_layer(stored.manifest)
        if weights is None:
            return None
        config = read_config(self._blobs, stored.manifest)
        content = read_content(self._blobs, stored.manifest)
        return index_entry(stored, config, content, self._headers.facts(weights.digest))

    def rows(self) -> list[dict[str, object]]:
        """All models for the listing, newest first."""
        scan = self._manifests.scan()
        newest_first = sorted(scan.manifests, key=lambda stored: (-stored.modified_unix_ns, stored.name))
        rows: list[dict[str, object]] = []
        for stored in newest_first:
            try:
                config = read_config(self._blobs, stored.manifest)
            except (CorralError, OSError) as error:
                log.warning("model_not_listed", model=stored.name.full, reason=str(error))
                continue
            rows.append(listing_row(stored, config, self._facts_if_readable(stored)))
        return rows

    def _facts_if_readable(self, stored: StoredManifest) -> ModelFacts | None:
        weights = weights_layer(stored.manifest)
        try:
            return None if weights is None else self._headers.facts(weights.digest)
        except (CorralError, OSError):
            return None

    def show(self, name: ModelName, changes: ShowChanges, *, verbose: bool) -> dict[str, object]:
        """Raises: ModelUnknown, ModelFileInvalid, InternalError when a blob is missing."""
        stored = self._manifests.read(self._manifests.resolve(name))
        weights = weights_layer(stored.manifest)
        if weights is None:
            raise ModelFileInvalid(f"model '{name.short}' has no GGUF weights, which is all this version can show")
        return show_reply(
            stored,
            read_config(self._blobs, stored.manifest),
            read_content(self._blobs, stored.manifest),
            self._headers.read(weights.digest),
            self._headers.facts(weights.digest),
            changes,
            (lambda array: self._headers.items(weights.digest, array)) if verbose else None,
        )
