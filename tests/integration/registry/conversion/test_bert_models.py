"""Converted encoders embed as the original does: llama.cpp's vectors against a forward pass in numpy."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from fakes.conversions import converted
from fakes.llama_files import OpenFile, opened
from fakes.minilm import minilm_folder
from fakes.reference_models import Array, bert_states, cosine
from fakes.tiny_checkpoints import (
    BERT_CONFIG,
    bert_weights,
    files_of,
    unigram_tokenizer,
    wordpiece_tokenizer,
    write_folder,
)

TEXTS = [
    "hello world",
    "The quick brown fox jumps over the lazy dog.",
    "a lazy animal sleeps while a fast one leaps",
    "Grüße aus München!",
    "naïve café — déjà vu",
    "ÅNGSTRÖM Übermut ñandú",
    "Привет, мир!",
    "東京は日本の首都です",
    "你好，世界",
    "مرحبا بالعالم",
    "γειά σου Κόσμε",
    "[brackets] (parentheses) {braces} <tags>",
    "e-mail: someone@example.org, tel. +49 (30) 123456",
    "don't won't can't it's",
    "UPPER lower MiXeD",
    "3.14159 1,000,000 42% $9.99 €5",
    "tabs\tand\nline breaks\r\n  and   spaces",
    "emoji 🙂 and symbols ©®™",
    "antidisestablishmentarianism supercalifragilisticexpialidocious",
    "A longer text about nothing in particular, written so that the encoder sees more than a few tokens at once.",
]
"""No Hangul: BERT's normalizer takes its syllables apart, llama.cpp's does not."""


def pooled(states: Array, mode: str) -> Array:
    result: Array = states[0] if mode == "cls" else states[-1] if mode == "lasttoken" else states.mean(0)
    return result


def least_cosine(model: OpenFile, tokenizer: Tokenizer, expected: dict[str, Array]) -> float:
    """How far the worst text's embedding is from the expected one; the tokens are compared on the way."""
    tokens = {text: tokenizer.encode(text).ids for text in expected}
    assert {text: model.tokenize(text) for text in expected} == tokens
    return min(cosine(model.embedding(tokens[text]), vector) for text, vector in expected.items())


def test_minilm_embeds_as_its_own_weights_say(tmp_path: Path) -> None:
    folder = minilm_folder()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    weights = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    expected = {text: bert_states(config, weights, tokenizer.encode(text).ids).mean(0) for text in TEXTS}
    with opened(converted(files_of(folder), tmp_path), embeddings=True) as model:
        assert least_cosine(model, tokenizer, expected) > 0.999
    assert cosine(expected[TEXTS[1]], expected[TEXTS[2]]) > cosine(expected[TEXTS[1]], expected[TEXTS[12]]) + 0.2


@pytest.mark.parametrize("mode", ["mean_tokens", "cls_token", "lasttoken"])
def test_the_pooling_of_the_folder_is_kept(tmp_path: Path, mode: str) -> None:
    tokenizer = wordpiece_tokenizer()
    config = {**BERT_CONFIG, "vocab_size": tokenizer.get_vocab_size()}
    weights = bert_weights(config)
    write_folder(tmp_path, config, weights, tokenizer)
    write_pooling(tmp_path, {f"pooling_mode_{mode}": True})
    write_tokenizer_config(tmp_path)
    expected = {text: bert_states(config, weights, tokenizer.encode(text).ids) for text in TEXTS}
    vectors = {text: pooled(states, mode.removesuffix("_token")) for text, states in expected.items()}
    with opened(converted(files_of(tmp_path), tmp_path), embeddings=True) as model:
        assert least_cosine(model, tokenizer, vectors) > 0.9999


def write_pooling(folder: Path, pooling: dict[str, bool]) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling), encoding="utf-8")
    modules = [
        {"type": "sentence_transformers.models.Transformer", "path": ""},
        {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")


def write_tokenizer_config(folder: Path) -> None:
    config = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def test_a_part_of_a_larger_model_is_converted_like_one_saved_alone(tmp_path: Path) -> None:
    tokenizer = wordpiece_tokenizer()
    config = {**BERT_CONFIG, "vocab_size": tokenizer.get_vocab_size()}
    weights = bert_weights(config)
    write_folder(tmp_path, config, weights, tokenizer)
    write_tokenizer_config(tmp_path)
    alone = converted(files_of(tmp_path), tmp_path).read_bytes()
    (tmp_path / "converted.gguf").unlink()
    larger = {f"bert.{name}": array for name, array in weights.items()}
    larger["cls.predictions.bias"] = np.zeros(3, np.float32)
    assert converted(write_folder(tmp_path, config, larger, tokenizer), tmp_path).read_bytes() == alone


def test_xlm_roberta_counts_positions_from_behind_its_padding_token(tmp_path: Path) -> None:
    tokenizer = unigram_tokenizer()
    config = {
        **BERT_CONFIG,
        "architectures": ["XLMRobertaModel"],
        "vocab_size": tokenizer.get_vocab_size(),
        "type_vocab_size": 1,
        "max_position_embeddings": 130,
        "pad_token_id": 1,
    }
    weights = bert_weights(config)
    write_folder(tmp_path, config, weights, tokenizer)
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(special), encoding="utf-8")
    # Real ones have a table that turns tabs and newlines into spaces; this small one has none.
    texts = [text for text in TEXTS if "\t" not in text]
    expected = {
        text: bert_states(config, weights, tokenizer.encode(text).ids, first_position=2).mean(0) for text in texts
    }
    with opened(converted(files_of(tmp_path), tmp_path), embeddings=True) as model:
        assert model.metadata("bert.context_length") == "128"
        assert least_cosine(model, tokenizer, expected) > 0.9999
