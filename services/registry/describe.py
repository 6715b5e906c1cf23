"""One model as others see it: an entry of the index, a row of the listing, the reply of `show`. Pure."""

import math
from collections.abc import Callable, Mapping

import msgspec

from services.registry.content import ModelContent, weights_layer
from services.registry.gguf import Array, Header, Items, Value
from services.registry.go_text import go_time
from services.registry.manifest_store import StoredManifest
from services.registry.model_facts import ModelFacts, chat_template
from services.registry.modelfile import print_modelfile, print_parameters
from shared.generation import Message
from shared.manifest import ModelConfig
from shared.model_index import ModelDetails, ModelEntry
from shared.options import merged

_HIDDEN_METADATA = frozenset({"general.name", "tokenizer.chat_template"})

ReadItems = Callable[[Array], Items]


def capabilities_of(facts: ModelFacts) -> tuple[str, ...]:
    """What this cluster can do with the model, which may be less than the model could."""
    return ("embedding",) if facts.is_embedding else ("completion",)


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


def index_entry(
    stored: StoredManifest, config: ModelConfig, content: ModelContent, facts: ModelFacts
) -> ModelEntry | None:
    """What gateways and workers need to serve the model; None when it has no weights they could load.

    Raises: OptionTypeInvalid when the stored parameters do not make sense.
    """
    weights = weights_layer(stored.manifest)
    if weights is None:
        return None
    return ModelEntry(
        name=stored.name,
        digest=stored.digest,
        weights=weights.digest,
        weights_bytes=weights.size,
        size_bytes=stored.manifest.size_bytes,
        modified_unix_ms=stored.modified_unix_ns // 10**6,
        details=details_of(stored, config),
        capabilities=capabilities_of(facts),
        context_length=facts.context_length,
        embedding_length=facts.embedding_length,
        kv_bytes_per_token=facts.kv_bytes_per_token,
        system=content.system,
        template=content.template,
        messages=content.messages,
        params=merged(content.params),
    )


def listing_row(stored: StoredManifest, config: ModelConfig, facts: ModelFacts | None) -> dict[str, object]:
    """The model in `/api/tags`; one whose weights cannot be read is listed too, so that it can be deleted."""
    row: dict[str, object] = {
        "name": stored.name.short,
        "model": stored.name.short,
        "modified_at": go_time(stored.modified_unix_ns),
        "size": stored.manifest.size_bytes,
        "digest": stored.digest,
        "details": msgspec.to_builtins(msgspec.structs.replace(details_of(stored, config), parent_model="")),
    }
    if facts is not None:
        lengths = {"context_length": facts.context_length, "embedding_length": facts.embedding_length}
        row["details"] = {**msgspec.to_builtins(row["details"]), **{k: v for k, v in lengths.items() if v}}
        row["capabilities"] = list(capabilities_of(facts))
    return row


class ShowChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a `show` request wants to see differently in the Modelfile it gets."""

    system: str
    options: dict[str, object]

    def applied_to(self, content: ModelContent) -> ModelContent:
        return msgspec.structs.replace(
            content, system=self.system or content.system, params={**content.params, **self.options}
        )


def show_reply(
    stored: StoredManifest,
    config: ModelConfig,
    content: ModelContent,
    header: Header,
    facts: ModelFacts,
    changes: ShowChanges,
    read_items: ReadItems | None,
) -> dict[str, object]:
    """`read_items` gives the lists of `model_info` their values (verbose); without it they are null."""
    optional: dict[str, object] = {
        "license": "\n".join(content.licenses),
        "modelfile": print_modelfile(stored.name, changes.applied_to(content)),
        "parameters": print_parameters(content.params),
        "template": chat_template(header) if content.template is None else content.template,
        "system": content.system,
        "messages": [message_json(message) for message in content.messages],
        "tensors": [
            {"name": tensor.name, "type": tensor.type.name, "shape": list(tensor.shape)} for tensor in header.tensors
        ],
        "capabilities": list(capabilities_of(facts)),
        "requires": config.requires,
    }
    return {
        **{key: value for key, value in optional.items() if value},
        "details": msgspec.to_builtins(details_of(stored, config)),
        "model_info": _model_info(header.metadata, facts, read_items),
        "modified_at": go_time(stored.modified_unix_ns),
    }


def message_json(message: Message) -> dict[str, str]:
    """Both keys always: an empty content is content."""
    return {"role": message.role, "content": message.content}


def _model_info(
    metadata: Mapping[str, Value | Array], facts: ModelFacts, read_items: ReadItems | None
) -> dict[str, object]:
    info: dict[str, object] = {"general.parameter_count": facts.parameter_count}
    for key, value in metadata.items():
        if key in _HIDDEN_METADATA:
            continue
        if isinstance(value, Array):
            info[key] = [] if value.count == 0 else (None if read_items is None else _finite(read_items(value)))
        else:
            info[key] = _finite(value)
    return info


def _finite(value: object) -> object:
    """JSON has no word for infinities and NaN; null stands for them."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
