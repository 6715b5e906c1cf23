"""One model as others see it: an entry of the index, a row of the listing, the reply of `show`. Pure."""

import math
from collections.abc import Callable

import msgspec

from services.registry.content import ModelContent, weights_layer
from services.registry.gguf import Array, Header, Items, Value
from services.registry.go_text import go_time
from services.registry.manifest_store import StoredManifest
from services.registry.model_facts import ModelFacts, chat_template
from services.registry.modelfile import print_modelfile, print_parameters
from shared.capabilities import ModelTraits, TemplateChoice, capabilities_of, template_choice
from shared.digest import Digest
from shared.generation import Message
from shared.manifest import MediaType, ModelConfig
from shared.model_index import ModelDetails, ModelEntry, resident_weights
from shared.options import merged

DEFAULT_TEMPLATE = "{{ .Prompt }}"
"""What a model without any template is shown with."""

_HIDDEN_METADATA = frozenset({"general.name", "tokenizer.chat_template"})
_DEAF_PROJECTORS = ("gemma3nv",)
"""Types of projectors whose audio encoder is not used. Source: Ollama `server/images.go`."""

ReadItems = Callable[[Array], Items]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one model from its small layers and the headers of its files."""

    stored: StoredManifest
    config: ModelConfig
    template: str | None
    facts: ModelFacts
    projectors: tuple[ModelFacts, ...]

    @property
    def traits(self) -> ModelTraits:
        config, facts = self.config, self.facts
        hears = any(one.has_audio_encoder and one.projector_type not in _DEAF_PROJECTORS for one in self.projectors)
        return ModelTraits(
            template=self.template,
            jinja=facts.chat_template or None,
            families=tuple(dict.fromkeys((facts.architecture, config.model_family, *(config.model_families or ())))),
            renderer=config.renderer,
            parser=config.parser,
            listed=config.capabilities,
            is_embedding=facts.is_embedding,
            has_vision=facts.vision_blocks_count > 0,
            has_audio=facts.audio_blocks_count > 0,
            projector_audio=hears if self.projectors else None,
        )


def details_of(stored: StoredManifest, config: ModelConfig) -> ModelDetails:
    weights = weights_layer(stored.manifest)
    return ModelDetails(
        parent_model=weights.from_ if weights else "",
        format=config.model_format,
        family=config.model_family,
        families=config.model_families,
        parameter_size=config.model_type,
        quantization_level=config.file_type,
    )


def index_entry(known: Known, content: ModelContent) -> ModelEntry | None:
    """What gateways and workers need to serve the model; None when it has no weights they could load.

    Raises: OptionTypeInvalid when the stored parameters do not make sense.
    """
    stored, facts = known.stored, known.facts
    weights = weights_layer(stored.manifest)
    if weights is None:
        return None
    adapters = tuple(stored.manifest.layers_of(MediaType.ADAPTER))
    projector = next(iter(stored.manifest.layers_of(MediaType.PROJECTOR)), None)
    companions = adapters if projector is None else (*adapters, projector)
    return ModelEntry(
        name=stored.name,
        digest=stored.digest,
        weights=resident_weights(weights.digest, [layer.digest for layer in companions]),
        weights_bytes=weights.size + sum(layer.size for layer in companions),
        size_bytes=stored.manifest.size_bytes,
        modified_unix_ms=stored.modified_unix_ns // 10**6,
        details=details_of(stored, known.config),
        capabilities=capabilities_of(known.traits),
        context_length=facts.context_length,
        embedding_length=facts.embedding_length,
        kv_bytes_per_token=facts.kv_bytes_per_token,
        blocks_count=facts.block_count,
        system=content.system,
        template=None if template_choice(known.traits) is TemplateChoice.JINJA else content.template,
        messages=content.messages,
        params=merged(content.params),
        base_weights=weights.digest if companions else None,
        adapters=tuple(layer.digest for layer in adapters),
        projector=projector.digest if projector else None,
        parser=known.config.parser,
    )


def listing_row(stored: StoredManifest, config: ModelConfig, known: Known | None) -> dict[str, object]:
    """The model in `/api/tags`; one whose weights cannot be read is listed too, so that it can be deleted."""
    row: dict[str, object] = {
        "name": stored.name.short,
        "model": stored.name.short,
        "modified_at": go_time(stored.modified_unix_ns),
        "size": stored.manifest.size_bytes,
        "digest": stored.digest,
        "details": msgspec.to_builtins(msgspec.structs.replace(details_of(stored, config), parent_model="")),
    }
    if known is not None:
        lengths = {
            "context_length": config.context_length or known.facts.context_length,
            "embedding_length": config.embedding_length or known.facts.embedding_length,
        }
        row["details"] = {**msgspec.to_builtins(row["details"]), **{k: v for k, v in lengths.items() if v}}
        row["capabilities"] = list(capabilities_of(known.traits, with_jinja=False))
    return row


class ShowChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a `show` request wants to see differently in the Modelfile it gets."""

    system: str
    options: dict[str, object]

    def applied_to(self, content: ModelContent) -> ModelContent:
        return msgspec.structs.replace(
            content, system=self.system or content.system, params={**content.params, **self.options}
        )


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a model with its header; `read_items` gives lists their values (verbose), without it they are null."""

    header: Header
    facts: ModelFacts
    read_items: ReadItems | None


def show_reply(
    known: Known,
    content: ModelContent,
    weights: Opened,
    projector: Opened | None,
    changes: ShowChanges,
    *,
    basename: str = "",
) -> dict[str, object]:
    stored, config = known.stored, known.config
    optional: dict[str, object] = {
        "license": "\n".join(content.licenses),
        "modelfile": print_modelfile(stored.name, changes.applied_to(content), config, _files(stored)),
        "parameters": print_parameters(content.params),
        "template": _shown_template(known, weights.header),
        "system": content.system,
        "messages": [message_json(message) for message in content.messages],
        "projector_info": {} if projector is None else _info(projector),
        "tensors": [
            {"name": tensor.name, "type": tensor.type.name, "shape": list(tensor.shape)}
            for tensor in weights.header.tensors
        ],
        "capabilities": list(capabilities_of(known.traits)),
        "requires": config.requires,
    }
    return {
        **{key: value for key, value in optional.items() if value},
        "details": msgspec.to_builtins(details_of(stored, config)),
        "model_info": {**_info(weights), **({"general.basename": basename} if basename else {})},
        "modified_at": go_time(stored.modified_unix_ns),
    }


def _shown_template(known: Known, header: Header) -> str:
    """The template that writes the model's prompts."""
    if template_choice(known.traits) is TemplateChoice.JINJA:
        return chat_template(header)
    return DEFAULT_TEMPLATE if known.template is None else known.template


def _files(stored: StoredManifest) -> dict[str, tuple[Digest, ...]]:
    media_types = (MediaType.ADAPTER, MediaType.DRAFT, MediaType.PROJECTOR)
    return {kind: tuple(layer.digest for layer in stored.manifest.layers_of(kind)) for kind in media_types}


def message_json(message: Message) -> dict[str, str]:
    """Both keys always: an empty content is content."""
    return {"role": message.role, "content": message.content}


def _info(opened: Opened) -> dict[str, object]:
    info: dict[str, object] = {"general.parameter_count": opened.facts.parameter_count}
    for key, value in opened.header.metadata.items():
        if key not in _HIDDEN_METADATA:
            info[key] = _shown_value(value, opened.read_items)
    return info


def _shown_value(value: Value | Array, read_items: ReadItems | None) -> object:
    if not isinstance(value, Array):
        return _finite(value)
    if value.count == 0:
        return []
    return None if read_items is None else _finite(read_items(value))


def _finite(value: object) -> object:
    """JSON has no word for infinities and NaN; null stands for them."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
