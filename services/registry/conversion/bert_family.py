"""Encoders in BERT's shape, for embeddings: `config.json` as GGUF metadata, tensors under llama.cpp's names.

Source: transformers `modeling_bert.py`, `modeling_xlm_roberta.py`; sentence-transformers `modules.json` and
`1_Pooling/config.json`; llama.cpp `models/bert.cpp`.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, Keys, PoolingType, get_tensor_name_map

from services.registry.conversion.file_types import F32
from services.registry.conversion.gguf_file import Metadata, Tensor, type_for
from services.registry.conversion.llama_family import gguf_name
from services.registry.conversion.model_config import ModelConfig
from services.registry.conversion.safetensors import Checkpoint, label
from services.registry.conversion.source import Source, refuse

ARCHITECTURE: Final = MODEL_ARCH_NAMES[MODEL_ARCH.BERT]

_PREFIXES: Final = {"BertModel": "bert.", "XLMRobertaModel": "roberta."}
"""How the tensors of an encoder are called when it was saved as a part of something larger."""

ARCHITECTURES: Final = frozenset(_PREFIXES)

_ACTIVATIONS: Final = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh")
_POSITIONS: Final = "embeddings.position_embeddings.weight"
_EXACT: Final = (_POSITIONS, "embeddings.token_type_embeddings.weight")
"""Matrices that llama.cpp adds and does not multiply with; it wants them as F32."""

_UNUSED: Final = ("embeddings.position_ids", "embeddings.token_type_ids", "pooler.", "cls.", "lm_head.")
"""Parts that embeddings do not need."""


class _Module(msgspec.Struct, frozen=True):
    type: str
    path: str = ""


class _Pooling(msgspec.Struct, frozen=True, kw_only=True):
    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False
    pooling_mode_lasttoken: bool = False


def unused_positions(architecture: str, config: ModelConfig) -> int:
    """How many rows of the table of positions no position uses: RoBERTa counts from behind the padding token's id."""
    if architecture != "XLMRobertaModel":
        return 0
    padding = config.pad_token_id if isinstance(config.pad_token_id, int) else 1
    if not 0 <= padding < config.max_position_embeddings - 1:
        refuse("config.json: pad_token_id leaves no positions")
    return padding + 1


def metadata_of(architecture: str, config: ModelConfig, source: Source) -> Metadata:
    """Raises: ModelFileInvalid."""
    if config.hidden_act not in _ACTIVATIONS:
        refuse(f"config.json: the activation {label(config.hidden_act)} is not supported")
    if config.position_embedding_type != "absolute":
        refuse(f"config.json: positions of the type {label(config.position_embedding_type)} are not supported")
    if config.layer_norm_eps is None:
        refuse("config.json: layer_norm_eps is missing")
    values: Metadata = {
        Keys.LLM.VOCAB_SIZE: config.vocab_size,
        Keys.LLM.CONTEXT_LENGTH: config.max_position_embeddings - unused_positions(architecture, config),
        Keys.LLM.EMBEDDING_LENGTH: config.hidden_size,
        Keys.LLM.BLOCK_COUNT: config.num_hidden_layers,
        Keys.LLM.FEED_FORWARD_LENGTH: config.intermediate_size,
        Keys.LLM.POOLING_TYPE: _pooling(source).value,
        Keys.Attention.HEAD_COUNT: config.num_attention_heads,
        Keys.Attention.LAYERNORM_EPS: config.layer_norm_eps,
        Keys.Attention.CAUSAL: False,
        Keys.Tokenizer.TOKEN_TYPE_COUNT: config.type_vocab_size,
    }
    return {key.format(arch=ARCHITECTURE): value for key, value in values.items()}


def _pooling(source: Source) -> PoolingType:
    """How token vectors become one; the mean when nothing says otherwise, as in sentence-transformers.

    Raises: ModelFileInvalid when more is to be done to the vectors than llama.cpp can.
    """
    pooling = PoolingType.MEAN
    for module in source.optional_json("modules.json", list[_Module]) or []:
        kind = module.type.rsplit(".", 1)[-1]
        if kind == "Pooling":
            pooling = _pooling_mode(source.json(f"{module.path}/config.json", _Pooling))
        elif kind not in ("Transformer", "Normalize"):
            refuse(f"modules.json: {label(kind)} modules are not supported")
    return pooling


def _pooling_mode(config: _Pooling) -> PoolingType:
    modes = {
        PoolingType.CLS: config.pooling_mode_cls_token,
        PoolingType.MEAN: config.pooling_mode_mean_tokens,
        PoolingType.LAST: config.pooling_mode_lasttoken,
    }
    chosen = [mode for mode, is_chosen in modes.items() if is_chosen]
    if len(chosen) != 1:
        refuse("the pooling is neither cls nor mean nor last token alone")
    return chosen[0]


def tensors_of(architecture: str, config: ModelConfig, checkpoint: Checkpoint) -> list[Tensor]:
    """Every tensor that embeddings need.

    Raises: ModelFileInvalid.
    """
    names = get_tensor_name_map(MODEL_ARCH.BERT, config.num_hidden_layers)
    prefix = _PREFIXES[architecture]
    prefix = prefix if any(name.startswith(prefix) for name in checkpoint.names) else ""
    tensors: list[Tensor] = []
    wanted: set[str] = set()
    for name, shape in _wanted(config):
        wanted.add(prefix + name)
        source = checkpoint.tensor(prefix + name, shape)
        rows = None
        if name == _POSITIONS and (unused := unused_positions(architecture, config)):
            rows = np.arange(unused, shape[0], dtype=np.intp)
        type_ = F32 if name in _EXACT else type_for(source)
        tensors.append(Tensor(name=gguf_name(names, name), source=source, type=type_, rows=rows))
    for name in checkpoint.names:
        if name not in wanted and not name.removeprefix(prefix).startswith(_UNUSED):
            refuse(f"tensor {label(name)} is not known for {architecture}")
    return tensors


def _wanted(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, inner = config.hidden_size, config.intermediate_size
    yield "embeddings.word_embeddings.weight", (config.vocab_size, width)
    yield _POSITIONS, (config.max_position_embeddings, width)
    yield "embeddings.token_type_embeddings.weight", (config.type_vocab_size, width)
    yield from _with_bias("embeddings.LayerNorm", (width,))
    for layer in range(config.num_hidden_layers):
        prefix = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            yield from _with_bias(f"{prefix}attention.self.{part}", (width, width))
        yield from _with_bias(f"{prefix}attention.output.dense", (width, width))
        yield from _with_bias(f"{prefix}attention.output.LayerNorm", (width,))
        yield from _with_bias(f"{prefix}intermediate.dense", (inner, width))
        yield from _with_bias(f"{prefix}output.dense", (width, inner))
        yield from _with_bias(f"{prefix}output.LayerNorm", (width,))


def _with_bias(name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]
