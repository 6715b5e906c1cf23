"""Reads of the store that take several parts together: the index, the listing, one model in full. Blocking."""

import structlog

from services.registry.blob_store import BlobStore
from services.registry.content import read_config, read_content, read_template, weights_layer
from services.registry.describe import Known, Opened, ShowChanges, index_entry, listing_row, show_reply
from services.registry.headers import Headers
from services.registry.manifest_store import ManifestStore, StoredManifest
from shared.digest import Digest
from shared.errors import CorralError, ModelFileInvalid
from shared.manifest import MediaType, ModelConfig
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
        files = (MediaType.MODEL, MediaType.PROJECTOR)
        self._headers.forget_all_but(
            frozenset(layer.digest for stored in scan.manifests for layer in stored.manifest.layers_of(*files))
        )
        return found

    def _entry(self, stored: StoredManifest) -> ModelEntry | None:
        if weights_layer(stored.manifest) is None:
            return None
        known = self._known(stored, read_config(self._blobs, stored.manifest))
        return index_entry(known, read_content(self._blobs, stored.manifest))

    def _known(self, stored: StoredManifest, config: ModelConfig) -> Known:
        """Raises: ModelFileInvalid, BlobMissing."""
        weights = weights_layer(stored.manifest)
        if weights is None:
            raise ModelFileInvalid(f"model '{stored.name.short}' has no GGUF weights")
        return Known(
            stored=stored,
            config=config,
            template=read_template(self._blobs, stored.manifest),
            facts=self._headers.facts(weights.digest),
            projectors=tuple(
                self._headers.facts(layer.digest) for layer in stored.manifest.layers_of(MediaType.PROJECTOR)
            ),
        )

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
            rows.append(listing_row(stored, config, self._known_if_readable(stored, config)))
        return rows

    def _known_if_readable(self, stored: StoredManifest, config: ModelConfig) -> Known | None:
        try:
            return self._known(stored, config)
        except (CorralError, OSError):
            return None

    def show(self, name: ModelName, changes: ShowChanges, *, verbose: bool, basename: str = "") -> dict[str, object]:
        """One model in full, shown with another `general.basename` than its file's when one is given.

        Raises: ModelUnknown, ModelFileInvalid, BlobMissing.
        """
        stored = self._manifests.read(self._manifests.resolve(name))
        known = self._known(stored, read_config(self._blobs, stored.manifest))
        weights = weights_layer(stored.manifest)
        assert weights is not None, "a model without weights was refused"
        projector = next(iter(stored.manifest.layers_of(MediaType.PROJECTOR)), None)
        return show_reply(
            known,
            read_content(self._blobs, stored.manifest),
            self._opened(weights.digest, verbose=verbose),
            None if projector is None else self._opened(projector.digest, verbose=verbose),
            changes,
            basename=basename,
        )

    def _opened(self, digest: Digest, *, verbose: bool) -> Opened:
        return Opened(
            header=self._headers.read(digest),
            facts=self._headers.facts(digest),
            read_items=(lambda array: self._headers.items(digest, array)) if verbose else None,
        )
