"""`config.json` as types: what every architecture says about itself, checked for numbers that make sense.

Source: transformers, PretrainedConfig and the configurations of the supported models.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from services.registry.conversion.source import Source, refuse

LAYERS_MAX: Final = 512
"""llama.cpp's own limit. Source: llama-hparams.h, LLAMA_MAX_LAYERS."""

Size = Annotated[int, Meta(ge=1, le=2**24)]
"""Widths, heads, vocabularies: far above any model, far below what overflows when two are multiplied."""

Positions = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Epsilon = Annotated[float, Meta(ge=0, le=1)]
Factor = Annotated[float, Meta(gt=0, le=1e9)]
TokenIds = int | list[int] | None


class RopeScaling(msgspec.Struct, frozen=True, kw_only=True):
    """How positions are stretched. Older files call the type `type`, newer ones keep `rope_theta` here too."""

    rope_type: str = ""
    type: str = ""
    rope_theta: Factor | None = None
    factor: Factor | None = None
    low_freq_factor: Factor = 1.0
    high_freq_factor: Factor = 4.0
    original_max_position_embeddings: Positions | None = None
    attention_factor: Factor | None = None
    beta_fast: Factor | None = None
    beta_slow: Factor | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True

    @property
    def kind(self) -> str:
        return self.rope_type or self.type or "default"


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that conversions need; which must be there depends on the architecture."""

    architectures: list[str] = []
    hidden_size: Size
    num_hidden_layers: Annotated[int, Meta(ge=1, le=LAYERS_MAX)]
    intermediate_size: Size
    num_attention_heads: Size
    num_key_value_heads: Size | None = None
    head_dim: Size | None = None
    max_position_embeddings: Positions
    vocab_size: Size
    hidden_act: str = ""
    rms_norm_eps: Epsilon | None = None
    layer_norm_eps: Epsilon | None = None
    rope_theta: Factor | None = None
    rope_scaling: RopeScaling | None = None
    rope_parameters: RopeScaling | None = None
    tie_word_embeddings: bool = False
    type_vocab_size: Size = 1
    position_embedding_type: str = "absolute"
    bos_token_id: TokenIds = None
    eos_token_id: TokenIds = None
    pad_token_id: TokenIds = None
    quantization_config: dict[str, object] | None = None

    @property
    def head_length(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def kv_heads_count(self) -> int:
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def scaling(self) -> RopeScaling:
        return self.rope_parameters or self.rope_scaling or RopeScaling()

    @property
    def rope_base(self) -> float:
        return self.scaling.rope_theta or self.rope_theta or 10_000.0


class _Declared(msgspec.Struct, frozen=True):
    """What is read first, because everything else depends on it."""

    architectures: list[str] = []


def read_architecture(source: Source) -> str:
    """The architecture that `config.json` names.

    Raises: ModelFileInvalid.
    """
    declared = source.json("config.json", _Declared).architectures
    if not declared:
        refuse("config.json names no architecture")
    return declared[0]


def read_config(source: Source) -> ModelConfig:
    """Raises: ModelFileInvalid when a field is missing, has another type, or makes no sense."""
    config = source.json("config.json", ModelConfig)
    if config.quantization_config is not None:
        refuse("the model is quantized already; import the original with 16 or 32 bits")
    if config.head_dim is None and config.hidden_size % config.num_attention_heads:
        refuse("config.json: hidden_size is no multiple of num_attention_heads")
    if config.head_length % 2:
        refuse("config.json: the length of a head is odd")
    if config.num_attention_heads % config.kv_heads_count:
        refuse("config.json: num_attention_heads is no multiple of num_key_value_heads")
    return config
