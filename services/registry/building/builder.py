"""Building a model: read what is asked for, refuse what cannot be, make the parts, write the layers, publish.

An uploaded GGUF is kept as it is, under its own digest; Ollama rewrites it, so the same upload has another digest
there. A chat template that the file brings is used as it is: none of Ollama's own is put in its place.
"""

from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from services.registry.blob_store import BlobStore
from services.registry.building import layers as decide
from services.registry.building.bases import SUCCESS, Bases
from services.registry.building.derived import DerivedBlobs
from services.registry.building.files import Folder, Gguf, check_adapter_fits
from services.registry.building.ingredients import Ingredients, Wishes, check, ingredients_of
from services.registry.building.layers import Base, NewLayer, Part
from services.registry.building.parts import Parts, read_files
from services.registry.building.ports import Conversions, Pulls
from services.registry.building.request import CreateRequest
from services.registry.building.steps import Tell, steps_of
from services.registry.content import weights_layer
from services.registry.headers import Headers
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, StoredManifest, encode_manifest
from services.registry.paths import StorePaths
from services.registry.publishing import on_thread
from services.registry.quota import Quota
from services.registry.transfers.progress import Progress
from shared.manifest import Layer, Manifest

WRITING: Final = "writing manifest"


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the model store that a build works with."""

    paths: StorePaths
    blobs: BlobStore
    manifests: ManifestStore
    headers: Headers
    library: ModelLibrary
    quota: Quota


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The model that a new one begins with; `weights` is None when it has no GGUF."""

    base: Base
    weights: Part | None


class Builder:
    def __init__(self, store: Store, conversions: Conversions, pulls: Pulls) -> None:
        self._store = store
        self._conversions = conversions
        self._bases = Bases(store.manifests, store.blobs, pulls)

    def create(self, request: CreateRequest) -> AsyncGenerator[Progress, None]:
        """Build the model, telling each step; the last one is `success`. Leaving early ends the work.

        Raises: ParameterInvalid, ModelFileInvalid, QuantizationUnsupported and BlobMissing before the first step,
            unless `from` has to be pulled; and whatever ended the pull, a conversion or a write. Whenever it fails,
            the model is as it was before.
        """

        async def work(tell: Tell) -> None:
            store = self._store
            async with DerivedBlobs(store.paths, store.blobs, store.library, store.quota) as derived:
                await self._build(request, derived, tell)
            tell(Progress(status=SUCCESS))

        return steps_of(work)

    async def _build(self, request: CreateRequest, derived: DerivedBlobs, tell: Tell) -> None:
        name = await on_thread(self._store.manifests.resolve, request.name)
        await derived.hold((*request.files.values(), *request.adapters.values(), *request.draft_files.values()))
        start = None
        if request.base is not None:
            stored = await self._bases.fetch(request.base, tell)
            await derived.hold(stored.references)
            start = await on_thread(self._start, stored)
        ingredients = await on_thread(self._ingredients, request, start)
        parts = Parts(self._store.blobs, self._store.headers, derived, self._conversions, tell)
        base = await _combined(start, ingredients, request, parts)
        layers, config = decide.layers_of(base, request), decide.config_of(base, request)
        await derived.hold(layer.digest for layer in (config, *layers))
        written = [await self._write(layer, tell) for layer in layers]
        written_config, _ = await self._stored(config)
        tell(Progress(status=WRITING))
        manifest = Manifest(config=written_config, layers=tuple(written))
        await self._store.library.put(name, encode_manifest(manifest))

    def _start(self, stored: StoredManifest) -> Start:
        """Raises: ModelFileInvalid, BlobMissing."""
        layer, weights = weights_layer(stored.manifest), None
        if layer is not None:
            facts = self._store.headers.facts(layer.digest)
            weights = Part(digest=layer.digest, size_bytes=layer.size, facts=facts, from_=stored.name.short)
        return Start(base=self._bases.read(stored), weights=weights)

    def _ingredients(self, request: CreateRequest, start: Start | None) -> Ingredients:
        """Raises: ParameterInvalid, QuantizationUnsupported, ModelFileInvalid, BlobMissing."""
        files, adapters, drafts = (
            read_files(files, self._store.blobs, self._store.headers)
            for files in (request.files, request.adapters, request.draft_files)
        )
        ingredients = ingredients_of(files, adapters, drafts, has_base=start is not None)
        check(
            ingredients,
            Wishes(quantize=request.quantize, draft_quantize=request.draft_quantize),
            start.weights.facts if start and start.weights else None,
            has_base=start is not None,
        )
        return ingredients

    async def _write(self, layer: Layer | NewLayer, tell: Tell) -> Layer:
        written, is_new = (layer, False) if isinstance(layer, Layer) else await self._stored(layer)
        tell(Progress(status=f"{'creating new' if is_new else 'using existing'} layer {written.digest}"))
        return written

    async def _stored(self, layer: NewLayer) -> tuple[Layer, bool]:
        """Raises: StoreFull."""
        async with self._store.quota.reserve(len(layer.content)):
            digest, is_new = await self._store.blobs.commit_bytes(layer.content)
        return Layer(media_type=layer.media_type, digest=digest, size=len(layer.content)), is_new


async def _combined(start: Start | None, ingredients: Ingredients, request: CreateRequest, parts: Parts) -> Base:
    """Make the parts and put them together."""
    base, weights = await _with_weights(start, ingredients, request, parts)
    for projector in ingredients.projectors:
        base = decide.with_projector(base, await parts.of_gguf(projector))
    if ingredients.adapter is not None:
        assert weights is not None, "an adapter without weights was refused"
        base = decide.with_adapter(base, await _adapter(ingredients.adapter, weights, parts))
    if ingredients.draft is not None:
        draft = await parts.quantized(await _made(ingredients.draft, parts), request.draft_quantize)
        base = decide.with_draft(base, draft)
    return base


async def _with_weights(
    start: Start | None, ingredients: Ingredients, request: CreateRequest, parts: Parts
) -> tuple[Base, Part | None]:
    """What the model begins with, its weights in the type that was asked for."""
    if start is None:
        assert ingredients.model is not None, "a request without a base was refused unless it has files"
        weights = await parts.quantized(await _made(ingredients.model, parts), request.quantize)
        return decide.base_of_weights(weights), weights
    if start.weights is None:
        return start.base, None
    weights = await parts.quantized(start.weights, request.quantize)
    if weights.digest == start.weights.digest:
        return start.base, weights
    return decide.with_weights(start.base, start.weights.digest, weights), weights


async def _made(source: Gguf | Folder, parts: Parts) -> Part:
    return await (parts.of_folder(source) if isinstance(source, Folder) else parts.of_gguf(source))


async def _adapter(source: Gguf | Folder, weights: Part, parts: Parts) -> Part:
    if isinstance(source, Gguf):
        return await parts.of_gguf(source)
    adapter = await parts.of_adapter_folder(source, weights)
    check_adapter_fits(adapter.facts, weights.facts)
    return adapter
