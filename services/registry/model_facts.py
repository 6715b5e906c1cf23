"""What a GGUF header says about serving the model: size, context, memory per token, what it is for. Pure."""

from collections import Counter
from typing import Final

import msgspec

from services.registry.gguf import Array, Header, refuse
from services.registry.gguf_types import FILE_TYPES, UNKNOWN_FILE_TYPE
from shared.template_budget import SOURCE_CHARS_MAX

_CACHE_ELEMENT_BYTES: Final = 2
"""Keys and values at 16 bits."""

LAYERS_MAX: Final = 4096
_COUNT_MAX: Final = 2**40
_PRECISIONS: Final = {0: "F32", 1: "F16", 32: "BF16"}
"""Values of `general.file_type` for weights that were not quantized."""


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Small enough to keep one for every model; vocabularies stay in the file.

    `precision` is the type of weights that no quantization has touched (F32, F16, BF16), else empty. The encoder
    fields say what the model understands beside text: its own encoders by their blocks, a projector's by its flags.
    `chat_template` is the Jinja text, empty when it is too long to be one.
    """

    architecture: str
    role: str
    parameter_count: int
    file_type: str
    context_length: int
    embedding_length: int
    block_count: int
    kv_bytes_per_token: int
    is_embedding: bool
    precision: str = ""
    vision_blocks_count: int = 0
    audio_blocks_count: int = 0
    has_audio_encoder: bool = False
    projector_type: str = ""
    chat_template: str = ""


def facts_of(header: Header) -> ModelFacts:
    """Raises: ModelFileInvalid when a key that matters has the wrong type or an absurd value."""
    architecture = _text(header, "general.architecture")
    if not architecture:
        refuse("general.architecture is missing")
    template = chat_template(header)
    return ModelFacts(
        architecture=architecture,
        role=_text(header, "general.type") or "model",
        parameter_count=sum(tensor.elements_count for tensor in header.tensors),
        file_type=FILE_TYPES.get(_count(header, "general.file_type"), UNKNOWN_FILE_TYPE),
        context_length=_count(header, f"{architecture}.context_length"),
        embedding_length=_count(header, f"{architecture}.embedding_length"),
        block_count=_count(header, f"{architecture}.block_count"),
        kv_bytes_per_token=_kv_bytes_per_token(header, architecture),
        is_embedding=f"{architecture}.pooling_type" in header.metadata,
        precision=_precision(header),
        vision_blocks_count=_count(header, f"{architecture}.vision.block_count"),
        audio_blocks_count=_count(header, f"{architecture}.audio.block_count"),
        has_audio_encoder=header.metadata.get("clip.has_audio_encoder") is True,
        projector_type=_text(header, "clip.projector_type"),
        chat_template=template if len(template) <= SOURCE_CHARS_MAX else "",
    )


def _precision(header: Header) -> str:
    """What the file type says, or for a file that does not say it, what most of its weights are."""
    if "general.file_type" in header.metadata:
        return _PRECISIONS.get(_count(header, "general.file_type"), "")
    elements: Counter[str] = Counter()
    for tensor in header.tensors:
        elements[tensor.type.name] += tensor.elements_count
    most = max(elements, key=lambda name: elements[name], default="")
    return most if most in _PRECISIONS.values() else ""


def chat_template(header: Header) -> str:
    """The model's own Jinja template; empty when it has none."""
    return _text(header, "tokenizer.chat_template")


def human_parameters(count: int) -> str:
    """A number of parameters as people write it: 8B, 3.2B, 137M, 22.57M, 12K.

    Source: Ollama `format/format.go`, HumanNumber.
    """
    for unit_size, unit, decimals in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
        if count >= unit_size:
            return f"{count / unit_size:.{decimals if count % unit_size else 0}f}{unit}"
    return str(count)


def _kv_bytes_per_token(header: Header, architecture: str) -> int:
    """Σ over layers of key/value heads x (key length + value length) x 2 bytes."""
    layers_count = _count(header, f"{architecture}.block_count")
    if layers_count > LAYERS_MAX:
        refuse(f"{layers_count} layers are more than the {LAYERS_MAX} allowed")
    heads = _per_layer(header, f"{architecture}.attention.head_count", layers_count)
    kv_heads = _per_layer(header, f"{architecture}.attention.head_count_kv", layers_count) or heads
    head_length = _count(header, f"{architecture}.embedding_length") // max(1, *heads, 1)
    key_length = _count(header, f"{architecture}.attention.key_length", head_length)
    value_length = _count(header, f"{architecture}.attention.value_length", head_length)
    return sum(kv_heads) * (key_length + value_length) * _CACHE_ELEMENT_BYTES


def _per_layer(header: Header, key: str, layers_count: int) -> list[int]:
    """One number per layer, from one number for all or an array of them; empty when the key is missing."""
    value = header.metadata.get(key)
    if isinstance(value, Array):
        if value.items is None:
            refuse(f"{key!r} is not a list of numbers")
        return [_checked_count(key, item) for item in value.items]
    return [] if value is None else [_checked_count(key, value)] * layers_count


def _count(header: Header, key: str, default: int = 0) -> int:
    value = header.metadata.get(key)
    return default if value is None else _checked_count(key, value)


def _checked_count(key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _COUNT_MAX:
        refuse(f"{key!r} is not a sensible number")
    return value


def _text(header: Header, key: str) -> str:
    value = header.metadata.get(key, "")
    if not isinstance(value, str):
        refuse(f"{key!r} is not text")
    return value
