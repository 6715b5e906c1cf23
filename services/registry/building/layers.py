"""The layers and the config of a new model, from what it begins with and what the request says. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from services.registry.building.files import Role
from services.registry.building.request import CreateRequest
from services.registry.describe import message_json
from services.registry.go_text import go_json
from services.registry.model_facts import ModelFacts, human_parameters
from shared.digest import Digest, digest_of
from shared.manifest import CONFIG_MEDIA_TYPE, Layer, MediaType, ModelConfig


class NewLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer whose content is still in memory."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> Digest:
        return digest_of(self.content)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A GGUF blob in the store, and what its header says."""

    digest: Digest
    size_bytes: int
    facts: ModelFacts
    from_: str = ""

    def layer(self, media_type: str) -> Layer:
        return Layer(media_type=media_type, digest=self.digest, size=self.size_bytes, from_=self.from_)


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What a model starts from: its layers, its parameters and its config."""

    layers: tuple[Layer, ...] = ()
    params: dict[str, object] = {}
    config: ModelConfig = ModelConfig()


class _Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How an architecture's conversations are written, where its own file does not say it well."""

    renderer: str
    stop: tuple[str, ...] = ()


_HABITS: Final = {
    "gemma4": _Habits(renderer="gemma4", stop=("<turn|>",)),
    "laguna": _Habits(renderer="laguna"),
    "nemotron_h": _Habits(renderer="nemotron-3-nano"),
}
"""By how the architecture's name begins; the parser has the renderer's name. Source: Ollama `server/create.go`."""


def _habits_of(architecture: str) -> _Habits | None:
    return next((habits for start, habits in _HABITS.items() if architecture.startswith(start)), None)


def base_of_weights(weights: Part) -> Base:
    """A model that is nothing but weights."""
    facts = weights.facts
    habits = _habits_of(facts.architecture)
    config = ModelConfig(
        model_format="gguf",
        model_family=facts.architecture,
        model_families=(facts.architecture,),
        model_type=human_parameters(facts.parameter_count),
        file_type=facts.file_type,
        context_length=facts.context_length,
        embedding_length=facts.embedding_length,
        renderer=habits.renderer if habits else "",
        parser=habits.renderer if habits else "",
    )
    params: dict[str, object] = {"stop": list(habits.stop)} if habits and habits.stop else {}
    return Base(layers=(weights.layer(Role.WEIGHTS),), params=params, config=config)


def with_weights(base: Base, old: Digest, weights: Part) -> Base:
    """The same model with other weights, which it was quantized to."""
    layers = tuple(weights.layer(layer.media_type) if layer.digest == old else layer for layer in base.layers)
    return msgspec.structs.replace(
        base, layers=layers, config=msgspec.structs.replace(base.config, file_type=weights.facts.file_type)
    )


def with_projector(base: Base, projector: Part) -> Base:
    """The model with another projector behind those it has."""
    families = dict.fromkeys((*(base.config.model_families or ()), projector.facts.architecture))
    return msgspec.structs.replace(
        base,
        layers=(*base.layers, projector.layer(Role.PROJECTOR)),
        config=msgspec.structs.replace(base.config, model_families=tuple(families)),
    )


def with_adapter(base: Base, adapter: Part) -> Base:
    """The model with another adapter on top of those it has."""
    return msgspec.structs.replace(base, layers=(*base.layers, adapter.layer(Role.ADAPTER)))


def with_draft(base: Base, draft: Part) -> Base:
    """The model with this draft model instead of any other."""
    kept = (layer for layer in base.layers if layer.media_type != MediaType.DRAFT)
    return msgspec.structs.replace(base, layers=(*kept, draft.layer(MediaType.DRAFT)))


def layers_of(base: Base, request: CreateRequest) -> tuple[Layer | NewLayer, ...]:
    """The new model's layers: what the request sets replaces the base's, licences are added, the rest stays."""
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
    if request.parameters or (base.params and not _has(base.layers, MediaType.PARAMS)):
        replace(go_json({**base.params, **request.parameters}), MediaType.PARAMS)
    if request.messages:
        replace(go_json([message_json(message) for message in request.messages]), MediaType.MESSAGES)
    return tuple(layers)


def config_of(base: Base, request: CreateRequest) -> NewLayer:
    """The new model's config: the base's, with what the request says otherwise."""
    config = msgspec.structs.replace(
        base.config,
        renderer=request.renderer or base.config.renderer,
        parser=request.parser or base.config.parser,
        requires=request.requires or base.config.requires,
    )
    content = go_json(msgspec.to_builtins(request.info.applied_to(config)))
    return NewLayer(media_type=CONFIG_MEDIA_TYPE, content=content)


def _has(layers: Iterable[Layer], media_type: str) -> bool:
    return any(layer.media_type == media_type for layer in layers)
