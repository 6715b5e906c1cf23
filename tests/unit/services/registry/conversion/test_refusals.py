"""Models that cannot be converted faithfully are refused, with a reason that says what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes.conversions import converted
from fakes.tiny_checkpoints import (
    BERT_CONFIG,
    LLAMA_CONFIG,
    Weights,
    bert_weights,
    byte_fallback_tokenizer,
    byte_level_tokenizer,
    llama_weights,
    unigram_tokenizer,
    wordpiece_tokenizer,
    write_folder,
)
from shared.errors import ModelFileInvalid

LLAMA = {**LLAMA_CONFIG, "vocab_size": 640, "num_hidden_layers": 1}
YARN = {"rope_type": "yarn", "factor": 4.0}
BERT = {**BERT_CONFIG, "vocab_size": 440, "num_hidden_layers": 1}


def refusal(folder: Path, files: dict[str, Path], changes: dict[str, Any]) -> str:
    """Why the files are refused after `changes` were written over them; None removes a file."""
    for number, (name, content) in enumerate(changes.items()):
        if content is None:
            del files[name]
            continue
        files[name] = folder / f"changed-{number}"
        text = content if isinstance(content, str) else json.dumps(content)
        files[name].write_text(text, encoding="utf-8")
    with pytest.raises(ModelFileInvalid) as refused:
        converted(files, folder)
    return refused.value.message


@pytest.fixture
def llama(tmp_path: Path) -> dict[str, Path]:
    return write_folder(tmp_path, LLAMA, llama_weights(LLAMA), byte_level_tokenizer())


@pytest.fixture
def bert(tmp_path: Path) -> dict[str, Path]:
    return write_folder(tmp_path, BERT, bert_weights(BERT), wordpiece_tokenizer())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architectures": []}, "config.json names no architecture"),
        ({"architectures": ["../x"]}, "unsupported architecture '../x'; supported are BertModel, "),
        ({"quantization_config": {"quant_method": "gptq"}}, "the model is quantized already"),
        ({"hidden_act": "relu"}, "the activation 'relu' is not supported"),
        ({"rms_norm_eps": None}, "rms_norm_eps is missing"),
        ({"hidden_size": 66}, "hidden_size is no multiple of num_attention_heads"),
        ({"head_dim": 15}, "the length of a head is odd"),
        ({"num_key_value_heads": 3}, "num_attention_heads is no multiple of num_key_value_heads"),
        ({"num_hidden_layers": 0}, "config.json: "),
        ({"num_hidden_layers": 513}, "config.json: "),
        ({"num_hidden_layers": 2}, "tensor model.layers.1.input_layernorm.weight is missing"),
        ({"vocab_size": 641}, "has the shape [640, 64]; config.json makes it [641, 64]"),
        ({"architectures": ["Qwen2ForCausalLM"]}, "tensor model.layers.0.self_attn.q_proj.bias is missing"),
        ({"architectures": ["Qwen3ForCausalLM"]}, "tensor model.layers.0.self_attn.q_norm.weight is missing"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope scaling of the type 'dynamic' is not supported"),
        ({"rope_scaling": {"type": "yarn"}}, "the factor of the rope scaling is missing"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "the rope scaling is incomplete"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "the rope scaling is incomplete"),
        ({"rope_scaling": {**YARN, "attention_factor": 1.0}}, "YaRN with attention_factor 1.0 is not supported"),
        ({"rope_scaling": {**YARN, "beta_fast": 16}}, "YaRN with beta_fast 16.0 is not supported; 32 is"),
        ({"rope_scaling": {**YARN, "beta_slow": 2}}, "YaRN with beta_slow 2.0 is not supported; 1 is"),
        ({"rope_scaling": {**YARN, "mscale": 1.0, "mscale_all_dim": 1.0}}, "YaRN with mscale and mscale_all_dim"),
        ({"rope_scaling": {**YARN, "truncate": False}}, "or without truncate"),
    ],
)
def test_a_decoder_that_is_not_what_it_should_be(
    tmp_path: Path, llama: dict[str, Path], changes: dict[str, Any], reason: str
) -> None:
    assert reason in refusal(tmp_path, llama, {"config.json": {**LLAMA, **changes}})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hidden_act": "relu"}, "the activation 'relu' is not supported"),
        ({"layer_norm_eps": None}, "layer_norm_eps is missing"),
        ({"position_embedding_type": "relative_key"}, "positions of the type 'relative_key' are not supported"),
        ({"architectures": ["XLMRobertaModel"], "pad_token_id": 127}, "pad_token_id leaves no positions"),
    ],
)
def test_an_encoder_that_is_not_what_it_should_be(
    tmp_path: Path, bert: dict[str, Path], changes: dict[str, Any], reason: str
) -> None:
    assert reason in refusal(tmp_path, bert, {"config.json": {**BERT, **changes}})


@pytest.mark.parametrize(
    ("modules", "pooling", "reason"),
    [
        ([{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}], {}, "'Dense' modules are not supported"),
        ([{"type": "x.Pooling", "path": "p"}], {"pooling_mode_max_tokens": True}, "neither cls nor mean"),
        (
            [{"type": "x.Pooling", "path": "p"}],
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "neither cls nor mean nor last token alone",
        ),
        ([{"type": "x.Pooling", "path": "../p"}], {}, "../p/config.json is missing"),
    ],
)
def test_an_embedding_that_llama_cpp_would_not_finish(
    tmp_path: Path, bert: dict[str, Path], modules: list[Any], pooling: dict[str, bool], reason: str
) -> None:
    assert reason in refusal(tmp_path, bert, {"modules.json": modules, "p/config.json": pooling})


def test_a_tensor_that_nobody_knows_would_be_missing(tmp_path: Path) -> None:
    weights: Weights = {**llama_weights(LLAMA), "model.layers.0.extra.weight": np.ones(1, np.float32)}
    files = write_folder(tmp_path, LLAMA, weights, byte_level_tokenizer())
    assert refusal(tmp_path, files, {}) == "tensor 'model.layers.0.extra.weight' is not known for llama models"


def changed(tokenizer: Any, change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    change(content)
    return content


def put(path: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Set what a path of dots leads to."""

    def change(content: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            content = content[parent]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("model.type", "WordLevel"), "tokenizers of the type 'WordLevel' are not supported"),
        (put("pre_tokenizer.pretokenizers", [{"type": "ByteLevel", "add_prefix_space": True}]), "'(ByteLevel)'"),
        (put("model.ignore_merges", "yes"), "tokenizer.json: Expected `bool`"),
        (put("normalizer", {"type": "Lowercase"}), "the normalizer 'Lowercase' is not supported"),
        (put("model.merges", []), "there are no merges"),
        (put("model.merges", ["ab"]), "'ab' is not a merge of two tokens"),
        (put("model.merges", [["a", "b c"]]), "'a b c' is not a merge of two tokens"),
        (put("model.end_of_word_suffix", "</w>"), "marked subwords are not supported"),
        (put("model.vocab", {"a": -1}), "token ids outside 0 to"),
        (put("model.vocab", {"a": 1 << 20}), "token ids outside 0 to"),
        (put("model.vocab", {str(token): token for token in range(641)}), "has 641 tokens, the model only 640"),
        (put("added_tokens", [{"id": 5, "content": "!"}]), "has the token '!' twice"),
    ],
)
def test_a_byte_level_tokenizer_that_llama_cpp_would_get_wrong(
    tmp_path: Path, llama: dict[str, Path], change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    assert reason in refusal(tmp_path, llama, {"tokenizer.json": changed(byte_level_tokenizer(), change)})


def test_a_way_of_cutting_text_that_llama_cpp_does_not_know_is_shown(tmp_path: Path, llama: dict[str, Path]) -> None:
    tokenizer = changed(byte_level_tokenizer(r"\w+|\W+"), lambda _content: None)
    reason = refusal(tmp_path, llama, {"tokenizer.json": tokenizer})
    assert reason == r"the tokenizer cuts text in a way that is not supported: '\\w+|\\W+'"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("added_tokens", [{"id": 0x41 + 3, "content": "A byte no more"}]), "no token for every byte"),
        (put("normalizer", {"type": "NFKC"}), "'NFKC' is not supported for this kind of tokenizer"),
        (put("pre_tokenizer", {"type": "Whitespace"}), "'Whitespace' is not supported for this kind"),
    ],
)
def test_a_sentencepiece_tokenizer_that_llama_cpp_would_get_wrong(
    tmp_path: Path, llama: dict[str, Path], change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    assert reason in refusal(tmp_path, llama, {"tokenizer.json": changed(byte_fallback_tokenizer(), change)})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("normalizer", {"type": "Lowercase"}), "'Lowercase' is not supported for this kind of tokenizer"),
        (put("normalizer", {"type": "Precompiled", "precompiled_charsmap": "?"}), "precompiled_charsmap is malformed"),
        (
            put("normalizer", {"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
            "replaced characters is malformed",
        ),
        (put("model.vocab", [["a", 1e300]]), "a score that is not a sensible number"),
    ],
)
def test_a_unigram_tokenizer_that_llama_cpp_would_get_wrong(
    tmp_path: Path, llama: dict[str, Path], change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    assert reason in refusal(tmp_path, llama, {"tokenizer.json": changed(unigram_tokenizer(), change)})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("normalizer", None), "the normalizers '[]' are not supported"),
        (put("pre_tokenizer", {"type": "Whitespace"}), "words must be cut by BertPreTokenizer"),
        (put("post_processor", None), "the tokenizer adds a sep token and has none"),
        (put("added_tokens", []), "the tokenizer adds a bos token and has none"),
    ],
)
def test_a_wordpiece_tokenizer_that_llama_cpp_would_get_wrong(
    tmp_path: Path, bert: dict[str, Path], change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    files = {"tokenizer.json": changed(wordpiece_tokenizer(), change), "tokenizer_config.json": {"bos_token": "[CLS]"}}
    assert reason in refusal(tmp_path, bert, files)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tokenizer.json": None}, "tokenizer.json is missing"),
        ({"tokenizer.model": "not SentencePiece's"}, "tokenizer.model"),
        (
            {"tokenizer_config.json": {"add_eos_token": True}, "config.json": {**LLAMA, "eos_token_id": None}},
            "adds a eos",
        ),
        ({"tokenizer_config.json": {"added_tokens_decoder": {"x": {"content": "a"}}}}, "tokenizer_config.json: "),
    ],
)
def test_files_of_the_tokenizer_that_do_not_fit(
    tmp_path: Path, llama: dict[str, Path], changes: dict[str, Any], reason: str
) -> None:
    assert reason in refusal(tmp_path, llama, changes)
