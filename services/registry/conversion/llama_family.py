"""Decoders in Llama's shape: their `config.json` as GGUF metadata, their tensors under llama.cpp's names. Pure.

Source: transformers `modeling_llama.py`, `modeling_qwen2.py`, `modeling_qwen3.py`; llama.cpp `llama-model.cpp` for what
it expects of each architecture.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, Keys, RopeScalingType, TensorNameMap, get_tensor_name_map

from services.registry.conversion.file_types import F32
from services.registry.conversion.gguf_file import Metadata, Tensor, type_for
from services.registry.conversion.model_config import ModelConfig, RopeScaling
from services.registry.conversion.safetensors import Checkpoint, StoredTensor, label
from services.registry.conversion.source import refuse

_QKV_BIASES: Final = ("self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias")
_OTHER_BIASES: Final = ("self_attn.o_proj.bias", "mlp.gate_proj.bias", "mlp.up_proj.bias", "mlp.down_proj.bias")
_HEAD_NORMS: Final = ("self_attn.q_norm.weight", "self_attn.k_norm.weight")

_UNUSED: Final = ".rotary_emb.inv_freq"
"""Computed from `rope_theta` by everyone; some old files store it."""

OUTPUT: Final = "lm_head.weight"


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one architecture from another. `interleaves` is whether llama.cpp rotates neighbouring elements, where
    transformers rotates the two halves of a head: then the rows of queries and keys change places."""

    arch: MODEL_ARCH
    interleaves: bool
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return MODEL_ARCH_NAMES[self.arch]


_LLAMA: Final = Family(arch=MODEL_ARCH.LLAMA, interleaves=True, optional=(*_QKV_BIASES, *_OTHER_BIASES))
FAMILIES: Final = {
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": _LLAMA,
    "Qwen2ForCausalLM": Family(arch=MODEL_ARCH.QWEN2, interleaves=False, required=_QKV_BIASES),
    "Qwen3ForCausalLM": Family(arch=MODEL_ARCH.QWEN3, interleaves=False, required=_HEAD_NORMS),
}


def metadata_of(config: ModelConfig, family: Family) -> Metadata:
    """Raises: ModelFileInvalid."""
    if config.hidden_act not in ("", "silu"):
        refuse(f"config.json: the activation {label(config.hidden_act)} is not supported")
    if config.rms_norm_eps is None:
        refuse("config.json: rms_norm_eps is missing")
    values: Metadata = {
        Keys.LLM.VOCAB_SIZE: config.vocab_size,
        Keys.LLM.CONTEXT_LENGTH: config.max_position_embeddings,
        Keys.LLM.EMBEDDING_LENGTH: config.hidden_size,
        Keys.LLM.BLOCK_COUNT: config.num_hidden_layers,
        Keys.LLM.FEED_FORWARD_LENGTH: config.intermediate_size,
        Keys.Attention.HEAD_COUNT: config.num_attention_heads,
        Keys.Attention.HEAD_COUNT_KV: config.kv_heads_count,
        Keys.Attention.KEY_LENGTH: config.head_length,
        Keys.Attention.VALUE_LENGTH: config.head_length,
        Keys.Attention.LAYERNORM_RMS_EPS: config.rms_norm_eps,
        Keys.Rope.DIMENSION_COUNT: config.head_length,
        Keys.Rope.FREQ_BASE: float(config.rope_base),
        **_scaling(config),
    }
    return {key.format(arch=family.name): value for key, value in values.items()}


def _scaling(config: ModelConfig) -> Metadata:
    """`llama3` is not here: llama.cpp takes it as a tensor of factors."""
    scaling = config.scaling
    if scaling.kind in ("default", "llama3"):
        return {}
    types = {"linear": RopeScalingType.LINEAR, "yarn": RopeScalingType.YARN}
    if scaling.kind not in types:
        refuse(f"config.json: rope scaling of the type {label(scaling.kind)} is not supported")
    if scaling.factor is None:
        refuse("config.json: the factor of the rope scaling is missing")
    values: Metadata = {
        Keys.Rope.SCALING_TYPE: types[scaling.kind].value,
        Keys.Rope.SCALING_FACTOR: float(scaling.factor),
    }
    if scaling.kind == "yarn":
        _check_yarn(scaling, scaling.factor)
        original = scaling.original_max_position_embeddings or config.max_position_embeddings
        values[Keys.Rope.SCALING_ORIG_CTX_LEN] = original
    return values


def _check_yarn(scaling: RopeScaling, factor: float) -> None:
    """llama.cpp knows one YaRN for these families, the paper's.

    Source: llama.cpp `llama-context.cpp`, whose defaults these are; transformers `modeling_rope_utils.py`,
    _compute_yarn_parameters, for what the fields do.
    """
    usual = {"attention_factor": 0.1 * math.log(max(factor, 1.0)) + 1.0, "beta_fast": 32.0, "beta_slow": 1.0}
    for field, value in usual.items():
        given = getattr(scaling, field)
        if given is not None and not math.isclose(given, value, rel_tol=1e-4):
            refuse(f"config.json: YaRN with {field} {given} is not supported; {value:.6g} is")
    # Where only one is given, transformers uses neither.
    if (scaling.mscale and scaling.mscale_all_dim) or not scaling.truncate:
        refuse("config.json: YaRN with mscale and mscale_all_dim, or without truncate, is not supported")


def tensors_of(config: ModelConfig, family: Family, checkpoint: Checkpoint) -> list[Tensor]:
    """Every tensor of the model; what the model has and nobody knows is an error, because it would be missing.

    Raises: ModelFileInvalid.
    """
    names = get_tensor_name_map(family.arch, config.num_hidden_layers)
    tensors: list[Tensor] = []
    wanted: set[str] = set()
    for name, shape in _wanted(config, family, checkpoint):
        wanted.add(name)
        source = checkpoint.tensor(name, shape)
        rows = rotated_rows(family, config.head_length, name, shape[0])
        tensors.append(Tensor(name=gguf_name(names, name), source=source, type=type_for(source), rows=rows))
    for name in checkpoint.names:
        if name not in wanted and not name.endswith(_UNUSED) and not (name == OUTPUT and config.tie_word_embeddings):
            refuse(f"tensor {label(name)} is not known for {family.name} models")
    if config.scaling.kind == "llama3":
        tensors.append(_rope_factors(config))
    return tensors


def _wanted(config: ModelConfig, family: Family, checkpoint: Checkpoint) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the tensors that the model must have, and of those it may and does have."""
    yield "model.embed_tokens.weight", (config.vocab_size, config.hidden_size)
    yield "model.norm.weight", (config.hidden_size,)
    if not config.tie_word_embeddings:
        yield OUTPUT, (config.vocab_size, config.hidden_size)
    present = set(checkpoint.names)
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        for part, shape in layer_shapes(config).items():
            is_optional = part in (*_QKV_BIASES, *_OTHER_BIASES, *_HEAD_NORMS) and part not in family.required
            if is_optional and (part not in family.optional or prefix + part not in present):
                continue
            yield prefix + part, shape


def layer_shapes(config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
    """The shape of everything that a layer of this family can have."""
    width, inner = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_length
    keys = config.kv_heads_count * config.head_length
    return {
        "input_layernorm.weight": (width,),
        "self_attn.q_proj.weight": (queries, width),
        "self_attn.k_proj.weight": (keys, width),
        "self_attn.v_proj.weight": (keys, width),
        "self_attn.o_proj.weight": (width, queries),
        "post_attention_layernorm.weight": (width,),
        "mlp.gate_proj.weight": (inner, width),
        "mlp.up_proj.weight": (inner, width),
        "mlp.down_proj.weight": (width, inner),
        "self_attn.q_proj.bias": (queries,),
        "self_attn.k_proj.bias": (keys,),
        "self_attn.v_proj.bias": (keys,),
        "self_attn.o_proj.bias": (width,),
        "mlp.gate_proj.bias": (inner,),
        "mlp.up_proj.bias": (inner,),
        "mlp.down_proj.bias": (width,),
        "self_attn.q_norm.weight": (config.head_length,),
        "self_attn.k_norm.weight": (config.head_length,),
    }


def rotated_rows(family: Family, head_length: int, name: str, rows_count: int) -> npt.NDArray[np.intp] | None:
    """The order in which a query's or key's rows are stored; None when they stay.

    Of a head's rows 0…n-1, transformers rotates row i with row i + n/2, llama.cpp's `llama` row 2i with row 2i + 1.
    """
    if not family.interleaves or not any(part in name for part in (".q_proj.", ".k_proj.")):
        return None
    rows = np.arange(rows_count, dtype=np.intp)
    return rows.reshape(-1, 2, head_length // 2).swapaxes(1, 2).reshape(-1)


def gguf_name(names: TensorNameMap, name: str) -> str:
    found = names.get_name(name, try_suffixes=(".weight", ".bias"))
    assert found is not None, f"the gguf library does not know {name}"
    return found


def _rope_factors(config: ModelConfig) -> Tensor:
    """How much slower each frequency turns: fast ones stay, slow ones by `factor`, those between by something between.

    Source: transformers `modeling_rope_utils.py`, _compute_llama3_parameters.
    """
    scaling, base, length = config.scaling, config.rope_base, config.head_length
    original = scaling.original_max_position_embeddings
    if scaling.factor is None or original is None or scaling.low_freq_factor >= scaling.high_freq_factor:
        refuse("config.json: the rope scaling is incomplete")
    turns = original / (2 * math.pi * base ** (np.arange(0, length, 2, dtype=np.float64) / length))
    smooth = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    smooth = np.clip(smooth, 0.0, 1.0)
    factors = 1.0 / ((1.0 - smooth) / scaling.factor + smooth)
    source = StoredTensor(name="rope factors", dtype=F32, shape=factors.shape, buffer=factors.astype("<f4").tobytes())
    return Tensor(name="rope_freqs.weight", source=source, type=F32)
