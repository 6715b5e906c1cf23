"""Small models as folders of safetensors, with random weights and tokenizers trained on the spot.

Their weights are what 16 bits can hold, so that a conversion loses nothing.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

Weights = dict[str, npt.NDArray[np.float32]]

CORPUS = [
    "The quick brown fox jumps over the lazy dog, doesn't it? I'll say: YES!",
    "Grüße aus München, wo die Straßenbahn über die Brücke fährt.",
    "def main(argv):\n    return sum(int(x) for x in argv[1:])\n\n\n# 1234567890",
    "東京は日本の首都です。こんにちは、世界。",
    "Привет, мир! Сколько стоит этот билет? 42 рубля.",
    "  several   spaces\t\tand tabs\r\nand lines \n \n end  ",
    "emoji 🙂🙃 and symbols ©®™ → ≠ ∑",
] * 4

LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_WORDS = LLAMA3_WORDS.replace(r"\p{N}{1,3}", r"\p{N}")

LLAMA_CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
BERT_CONFIG: dict[str, Any] = {
    "architectures": ["BertModel"],
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "intermediate_size": 80,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "type_vocab_size": 2,
    "pad_token_id": 0,
}


def byte_level_tokenizer(words: str | None = LLAMA3_WORDS, *, ignore_merges: bool = True) -> Tokenizer:
    """GPT-2's kind, cutting text by the pattern `words`; None cuts as GPT-2 does."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if words is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(words), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
        )
    return trained_byte_level(tokenizer)


def trained_byte_level(tokenizer: Tokenizer) -> Tokenizer:
    """Train it, with a begin and an end token of its own and an added word that is not special."""
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=["<|begin|>", "<|end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.add_tokens([AddedToken("<think>", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 0)])
    return tokenizer


def byte_fallback_tokenizer() -> Tokenizer:
    """Llama 2's kind: pieces with `▁` for spaces, and bytes for what no piece covers."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))],
        limit_alphabet=70,
        show_progress=False,
    )
    tokenizer.train_from_iterator((word for line in CORPUS for word in line.split()), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def wordpiece_tokenizer() -> Tokenizer:
    """BERT's kind, without case."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def unigram_tokenizer() -> Tokenizer:
    """XLM-R's kind."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(
            vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def llama_weights(config: Mapping[str, Any], *, qkv_biases: bool = False, head_norms: bool = False) -> Weights:
    """Random weights under transformers' names."""
    make = _Random(1)
    width, inner, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    length = config.get("head_dim") or width // heads
    weights = {"model.embed_tokens.weight": make(vocab, width), "model.norm.weight": make.near_one(width)}
    if not config["tie_word_embeddings"]:
        weights["lm_head.weight"] = make(vocab, width)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        rows = {"q_proj": heads * length, "k_proj": kv_heads * length, "v_proj": kv_heads * length}
        for name, count in rows.items():
            weights[f"{prefix}self_attn.{name}.weight"] = make(count, width)
            if qkv_biases:
                weights[f"{prefix}self_attn.{name}.bias"] = make(count)
        weights[f"{prefix}self_attn.o_proj.weight"] = make(width, heads * length)
        if head_norms:
            weights[f"{prefix}self_attn.q_norm.weight"] = make.near_one(length)
            weights[f"{prefix}self_attn.k_norm.weight"] = make.near_one(length)
        weights[f"{prefix}mlp.gate_proj.weight"] = make(inner, width)
        weights[f"{prefix}mlp.up_proj.weight"] = make(inner, width)
        weights[f"{prefix}mlp.down_proj.weight"] = make(width, inner)
        weights[f"{prefix}input_layernorm.weight"] = make.near_one(width)
        weights[f"{prefix}post_attention_layernorm.weight"] = make.near_one(width)
    return weights


def bert_weights(config: Mapping[str, Any]) -> Weights:
    """Random weights under transformers' names."""
    make = _Random(2)
    width, inner = config["hidden_size"], config["intermediate_size"]
    weights = {
        "embeddings.word_embeddings.weight": make(config["vocab_size"], width),
        "embeddings.position_embeddings.weight": make(config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": make(config["type_vocab_size"], width),
        "embeddings.LayerNorm.weight": make.near_one(width),
        "embeddings.LayerNorm.bias": make(width),
        "pooler.dense.weight": make(width, width),
        "pooler.dense.bias": make(width),
    }
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}."
        dense = {f"attention.self.{name}": (width, width) for name in ("query", "key", "value")}
        dense |= {"attention.output.dense": (width, width), "intermediate.dense": (inner, width)}
        dense |= {"output.dense": (width, inner)}
        for name, shape in dense.items():
            weights[f"{prefix}{name}.weight"] = make(*shape)
            weights[f"{prefix}{name}.bias"] = make(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"{prefix}{name}.weight"] = make.near_one(width)
            weights[f"{prefix}{name}.bias"] = make(width)
    return weights


def write_folder(
    folder: Path, config: Mapping[str, Any], weights: Mapping[str, npt.NDArray[Any]], tokenizer: Tokenizer | None
) -> dict[str, Path]:
    """Write the folder; returns its files as an import sends them, by relative name."""
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(dict(weights), folder / "model.safetensors")
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
    return files_of(folder)


def files_of(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


class _Random:
    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> npt.NDArray[np.float32]:
        values = self._random.normal(0, shape[-1] ** -0.5, shape)
        return values.astype(np.float16).astype(np.float32)

    def near_one(self, size: int) -> npt.NDArray[np.float32]:
        return np.float32(1) + self(size) / np.float32(2)
