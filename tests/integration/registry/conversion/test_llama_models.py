"""Converted decoders compute what the original computes: llama.cpp's logits against a forward pass in numpy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from fakes.conversions import converted
from fakes.llama_files import opened
from fakes.reference_models import Array, cosine, llama_logits
from fakes.tiny_checkpoints import LLAMA_CONFIG, Weights, byte_level_tokenizer, files_of, llama_weights, write_folder

TOKENS = [0, *range(7, 47), *range(400, 300, -7)]
COSINE_MIN = 0.99999
"""Weights are the same numbers; activations are rounded to 16 bits in every product. With queries and keys in the wrong
order it is about 0."""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return byte_level_tokenizer()


def check(folder: Path, path: Path, expected: Array) -> None:
    with opened(path) as model:
        logits = model.logits(TOKENS)
    assert logits.shape == expected.shape
    assert min(cosine(row, wanted) for row, wanted in zip(logits, expected, strict=True)) > COSINE_MIN


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, {}),
        ({"num_key_value_heads": 4}, {}),
        ({"head_dim": 32}, {}),
        ({"tie_word_embeddings": True}, {}),
        ({"rope_theta": 500_000.0, "rope_scaling": None}, {}),
        ({"architectures": ["MistralForCausalLM"], "num_key_value_heads": 1}, {}),
        ({}, {"qkv_biases": True}),
        ({"architectures": ["Qwen2ForCausalLM"]}, {"qkv_biases": True}),
        ({"architectures": ["Qwen3ForCausalLM"], "head_dim": 24, "tie_word_embeddings": True}, {"head_norms": True}),
    ],
    ids=[
        "llama", "llama without shared keys", "llama with long heads", "llama tied", "llama with another base",
        "mistral", "llama with biases", "qwen2", "qwen3",
    ],
)  # fmt: skip
def test_a_converted_model_computes_what_the_original_does(
    tmp_path: Path, tokenizer: Tokenizer, changes: dict[str, Any], parts: dict[str, bool]
) -> None:
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size(), **changes}
    weights = llama_weights(config, **parts)
    path = converted(write_folder(tmp_path, config, weights, tokenizer), tmp_path)
    check(tmp_path, path, llama_logits(config, weights, TOKENS))


LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def test_frequencies_stretched_in_llama_3s_way_are_stretched_after_the_conversion(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size(), "rope_scaling": LLAMA3_ROPE}
    weights = llama_weights(config)
    path = converted(write_folder(tmp_path, config, weights, tokenizer), tmp_path)
    factors = np.array([llama3_factor(10_000.0 ** -(i / 16)) for i in range(0, 16, 2)])
    assert len(set(factors)) > 2, "some frequencies are between fast and slow"
    check(tmp_path, path, llama_logits(config, weights, TOKENS, rope_factors=factors))


def llama3_factor(frequency: float) -> float:
    """The rule as Llama 3's authors wrote it, by wavelength."""
    wavelength = 2 * np.pi / frequency
    if wavelength < 64 / 4.0:
        return 1.0
    if wavelength > 64 / 1.0:
        return 8.0
    smooth = (64 / wavelength - 1.0) / (4.0 - 1.0)
    return float(1 / ((1 - smooth) / 8.0 + smooth))


def test_positions_stretched_evenly_are_stretched_after_the_conversion(tmp_path: Path, tokenizer: Tokenizer) -> None:
    scaling = {"type": "linear", "factor": 4.0}
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size(), "rope_scaling": scaling}
    weights = llama_weights(config)
    path = converted(write_folder(tmp_path, config, weights, tokenizer), tmp_path)
    check(tmp_path, path, llama_logits(config, weights, TOKENS, rope_factors=np.full(8, 4.0)))


@pytest.mark.parametrize(
    ("changes", "original"),
    [
        ({}, "256"),
        ({"original_max_position_embeddings": 64}, "64"),
        ({"beta_fast": 32, "beta_slow": 1, "attention_factor": 1.1386294, "mscale": 0.7}, "256"),
    ],
)
def test_yarn_stretches_from_the_original_length_or_else_the_models(
    tmp_path: Path, tokenizer: Tokenizer, changes: dict[str, Any], original: str
) -> None:
    scaling = {"rope_type": "yarn", "factor": 4.0, **changes}
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size(), "rope_scaling": scaling}
    with opened(converted(write_folder(tmp_path, config, llama_weights(config), tokenizer), tmp_path)) as model:
        assert model.metadata("llama.rope.scaling.type") == "yarn"
        assert model.metadata("llama.rope.scaling.original_context_length") == original


def test_the_new_way_to_write_rope_parameters_is_understood(tmp_path: Path, tokenizer: Tokenizer) -> None:
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size(), "rope_theta": 200_000.0}
    weights = llama_weights(config)
    written = {key: value for key, value in config.items() if key != "rope_theta"}
    written["rope_parameters"] = {"rope_type": "default", "rope_theta": 200_000.0}
    path = converted(write_folder(tmp_path, written, weights, tokenizer), tmp_path)
    check(tmp_path, path, llama_logits(config, weights, TOKENS))


def bfloat16(weights: Weights) -> Weights:
    """The weights rounded to what BF16 can hold, still as 32 bits."""
    return {name: (array.view(np.uint32) & 0xFFFF0000).view(np.float32) for name, array in weights.items()}


def test_bf16_weights_stay_bf16(tmp_path: Path, tokenizer: Tokenizer) -> None:
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size()}
    weights = bfloat16(llama_weights(config))
    write_folder(tmp_path, config, {}, tokenizer)
    write_bf16(tmp_path / "model.safetensors", weights)
    path = converted(files_of(tmp_path), tmp_path)
    with opened(path) as model:
        assert model.metadata("general.file_type") == "32"
    expected = llama_logits(config, weights, TOKENS)
    with opened(path) as model:
        logits = model.logits(TOKENS)
    # Activations are rounded to BF16's eight bits too.
    assert min(cosine(row, wanted) for row, wanted in zip(logits, expected, strict=True)) > 0.999


def write_bf16(path: Path, weights: Weights) -> None:
    """A safetensors file byte by byte, because numpy has no BF16 to save."""
    header, data = {}, b""
    for name, array in weights.items():
        content = (array.view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": array.shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_a_model_in_several_files_is_one_model(tmp_path: Path, tokenizer: Tokenizer) -> None:
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size()}
    weights = llama_weights(config)
    files = write_folder(tmp_path, config, weights, tokenizer)
    whole = converted(files, tmp_path).read_bytes()
    (tmp_path / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {f"model-0000{number}-of-00002.safetensors": names[number - 1 :: 2] for number in (1, 2)}
    for file_name, own in parts.items():
        save_file({name: weights[name] for name in own}, tmp_path / file_name)
    assert converted(files_of(tmp_path), tmp_path).read_bytes() == whole
    index = {"weight_map": {name: file_name for file_name, own in parts.items() for name in own}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert converted(files_of(tmp_path), tmp_path).read_bytes() == whole
