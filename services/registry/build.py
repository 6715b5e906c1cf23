"""Building a model from a GGUF blob or from another model: decide its layers (pure), then write them.

The uploaded GGUF is kept as it is, under its own digest; Ollama rewrites it, so the same upload has another digest
there. A Go template is not checked here: only the worker can run one.
"""

import os
from collections.abc import AsyncGenerator, Iterable
from typing import Final

import msgspec

from services.registry.blob_store import BlobStore
from services.registry.content import read_config, read_content
from services.registry.describe import message_json
from services.registry.gguf import MAGIC
from services.registry.go_text import go_json
from services.registry.headers import Headers
from services.registry.library import ModelLibrary
from services.registry.manifest_store import ManifestStore, encode_manifest
from services.registry.model_facts import ModelFacts, human_parameters
from services.registry.publishing import on_thread
from services.registry.requests import CreateRequest
from shared.digest import Digest, digest_of
from shared.errors import ModelUnknown, ParameterInvalid
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, Manifest, MediaType, ModelConfig
from shared.model_name import ModelName
from shared.options import merged

PARSING: Final = "parsing GGUF"
WRITING: Final = "writing manifest"
SUCCESS: Final = "success"


class NewLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer whose content is still in memory."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> Digest:
        return digest_of(self.content)


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What a model starts from: its layers, its parameters and its config."""

    layers: tuple[Layer, ...]
    params: dict[str, object]
    config: ModelConfig


def base_of_file(digest: Digest, size_bytes: int, facts: ModelFacts) -> Base:
    """A model that is nothing but weights.

    Raises: ParameterInvalid when the file holds something else than a model's weights.
    """
    if facts.role != "model":
        raise ParameterInvalid(f"GGUF files of type {facts.role!r} are not supported yet")
    config = ModelConfig(
        model_format="gguf",
        model_family=facts.architecture,
        model_families=(facts.architecture,),
        model_type=human_parameters(facts.parameter_count),
        file_type=facts.file_type,
        context_length=facts.context_length,
        embedding_length=facts.embedding_length,
    )
    return Base(layers=(Layer(media_type=MediaType.MODEL, digest=digest, size=size_bytes),), params={}, config=config)


def layers_of(base: Base, request: CreateRequest) -> tuple[Layer | NewLayer, ...]:
    """The new model's layers: what the request sets replaces the base's, licences are added, the rest stays.

    Raises: OptionTypeInvalid.
    """
    layers: list[Layer | NewLayer] = list(base.layers)

    def replace(content: bytes, media_type: str, *obsolete: str) -> None:
        layers[:] = [layer for layer in layers if layer.media_type not in (media_type, *obsolete)]
        layers.append(NewLayer(media_type=media_type, content=content))

    if request.template:
        replace(request.template.encode(), MediaType.TEMPLATE, MediaType.PROMPT)
    if request.system:
        replace(request.system.encode(), MediaType.SYSTEM)
    for text in request.licenses:
        added = NewLayer(media_type=MediaType.LICENSE, content=text.encode())
        if added.digest not in {layer.digest for layer in layers}:
            layers.append(added)
    if params := merged(request.parameters):
        replace(go_json({**base.params, **params}), MediaType.PARAMS)
    if request.messages:
        replace(go_json([message_json(message) for message in request.messages]), MediaType.MESSAGES)
    return tuple(layers)


class Builder:
    def __init__(self, manifests: ManifestStore, blobs: BlobStore, headers: Headers, library: ModelLibrary) -> None:
        self._manifests = manifests
        self._blobs = blobs
        self._headers = headers
        self._library = library

    async def create(self, request: CreateRequest) -> AsyncGenerator[str, None]:
        """Build the model, telling each step; the last one is `success`.

        Raises: ParameterInvalid, ModelFileInvalid, ModelUnknown, OptionTypeInvalid before the first step;
            InternalError when a blob is missing. Whenever it fails, the model is as it was before.
        """
        name = await on_thread(self._manifests.resolve, request.name)
        base = await on_thread(self._base, request)
        layers = layers_of(base, request)
        config = msgspec.structs.replace(base.config, requires=request.requires or base.config.requires)
        config_layer = NewLayer(media_type=CONFIG_MEDIA_TYPE, content=go_json(msgspec.to_builtins(config)))
        async with self._library.hold(layer.digest for layer in (config_layer, *layers)):
            if request.file is not None:
                yield PARSING
            written: list[Layer] = []
            for layer in layers:
                written_layer, is_new = await self._write(layer)
                yield f"{'creating new' if is_new else 'using existing'} layer {layer.digest}"
                written.append(written_layer)
            written_config, _ = await self._write(config_layer)
            yield WRITING
            await self._put(name, written_config, written)
        yield SUCCESS

    async def _write(self, layer: Layer | NewLayer) -> tuple[Layer, bool]:
        if isinstance(layer, Layer):
            return layer, False
        digest, is_new = await self._blobs.commit_bytes(layer.content)
        return Layer(media_type=layer.media_type, digest=digest, size=len(layer.content)), is_new

    async def _put(self, name: ModelName, config: Layer, layers: Iterable[Layer]) -> None:
        await self._library.put(name, encode_manifest(Manifest(config=config, layers=tuple(layers))))

    def _base(self, request: CreateRequest) -> Base:
        if request.base is not None:
            return self._base_of_model(request.base)
        assert request.file is not None, "a request has a base or a file"
        file_name, digest = request.file
        with self._blobs.open(digest) as file:
            is_gguf = file.read(len(MAGIC)) == MAGIC
            size_bytes = file.seek(0, os.SEEK_END)
        if not is_gguf:
            named_gguf = file_name.endswith(".gguf")
            raise ParameterInvalid("supplied file was not in GGUF format" if named_gguf else "unknown type")
        return base_of_file(digest, size_bytes, self._headers.facts(digest))

    def _base_of_model(self, name: ModelName) -> Base:
        try:
            stored = self._manifests.read(self._manifests.resolve(name))
        except ModelUnknown as cause:
            raise ModelUnknown(f"model '{name.short}' not found; pulling it is not supported yet") from cause
        return Base(
            layers=tuple(msgspec.structs.replace(layer, from_=name.short) for layer in stored.manifest.layers),
            params=read_content(self._blobs, stored.manifest).params,
            config=read_config(self._blobs, stored.manifest),
        )
