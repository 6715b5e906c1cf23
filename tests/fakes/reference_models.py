"""Forward passes in numpy, written from the papers and transformers' conventions: what conversions are measured by."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = Mapping[str, npt.NDArray[np.float32]]


def llama_logits(
    config: Mapping[str, Any], weights: Weights, tokens: Sequence[int], *, rope_factors: Array | None = None
) -> Array:
    """Logits of every position. `rope_factors` slow each frequency down."""
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    length = config.get("head_dim") or config["hidden_size"] // heads
    eps, count = config["rms_norm_eps"], len(tokens)
    frequencies = config["rope_theta"] ** -(np.arange(0, length, 2) / length) / (
        1.0 if rope_factors is None else rope_factors
    )
    angles = np.arange(count)[:, None] * frequencies
    mask = np.triu(np.full((count, count), -np.inf), 1)
    x = weights["model.embed_tokens.weight"][list(tokens)].astype(np.float64)
    for layer in range(config["num_hidden_layers"]):
        own = _Layer(weights, f"model.layers.{layer}.")
        h = rms_norm(x, own["input_layernorm.weight"], eps)
        q, k, v = (
            own.dense(f"self_attn.{name}_proj", h).reshape(count, -1, length).swapaxes(0, 1) for name in ("q", "k", "v")
        )
        if "self_attn.q_norm.weight" in own:
            q, k = rms_norm(q, own["self_attn.q_norm.weight"], eps), rms_norm(k, own["self_attn.k_norm.weight"], eps)
        q, k = rotated(q, angles), rotated(k, angles)
        k, v = np.repeat(k, heads // kv_heads, axis=0), np.repeat(v, heads // kv_heads, axis=0)
        attended = softmax(q @ k.swapaxes(1, 2) / np.sqrt(length) + mask) @ v
        x = x + own.dense("self_attn.o_proj", attended.swapaxes(0, 1).reshape(count, -1))
        h = rms_norm(x, own["post_attention_layernorm.weight"], eps)
        gate = own.dense("mlp.gate_proj", h)
        x = x + own.dense("mlp.down_proj", gate / (1 + np.exp(-gate)) * own.dense("mlp.up_proj", h))
    output = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    result: Array = rms_norm(x, weights["model.norm.weight"], eps) @ output.T
    return result


def bert_states(
    config: Mapping[str, Any], weights: Weights, tokens: Sequence[int], *, first_position: int = 0
) -> Array:
    """Last hidden states, one row for every token."""
    heads, eps, count = config["num_attention_heads"], config["layer_norm_eps"], len(tokens)
    own = _Layer(weights, "embeddings.")
    x = own["word_embeddings.weight"][list(tokens)].astype(np.float64)
    x = x + own["position_embeddings.weight"][first_position : first_position + count]
    x = own.norm("LayerNorm", x + own["token_type_embeddings.weight"][0], eps)
    for layer in range(config["num_hidden_layers"]):
        own = _Layer(weights, f"encoder.layer.{layer}.")
        q, k, v = (
            own.dense(f"attention.self.{name}", x).reshape(count, heads, -1).swapaxes(0, 1)
            for name in ("query", "key", "value")
        )
        attended = softmax(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])) @ v
        attended = own.dense("attention.output.dense", attended.swapaxes(0, 1).reshape(count, -1))
        x = own.norm("attention.output.LayerNorm", x + attended, eps)
        x = own.norm("output.LayerNorm", x + own.dense("output.dense", gelu(own.dense("intermediate.dense", x))), eps)
    return x


def normalized(vector: Array) -> Array:
    result: Array = vector / np.linalg.norm(vector)
    return result


def cosine(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    return float(normalized(np.ravel(np.asarray(a, np.float64))) @ normalized(np.ravel(np.asarray(b, np.float64))))


class _Layer:
    """The weights whose names begin with a prefix."""

    def __init__(self, weights: Weights, prefix: str) -> None:
        self._weights = weights
        self._prefix = prefix

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        return self._weights[self._prefix + name]

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._weights

    def dense(self, name: str, x: Array) -> Array:
        result: Array = x @ self[f"{name}.weight"].T.astype(np.float64)
        return result + self[f"{name}.bias"] if f"{name}.bias" in self else result

    def norm(self, name: str, x: Array, eps: float) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
        result: Array = scaled * self[f"{name}.weight"] + self[f"{name}.bias"]
        return result


def rms_norm(x: Array, weight: npt.NDArray[np.float32], eps: float) -> Array:
    result: Array = x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * weight
    return result


def rotated(x: Array, angles: Array) -> Array:
    """Rotary positions as transformers has them: the two halves of a head turn into each other."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def softmax(x: Array) -> Array:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    result: Array = exponentials / exponentials.sum(-1, keepdims=True)
    return result


def gelu(x: Array) -> Array:
    result: Array = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return result
