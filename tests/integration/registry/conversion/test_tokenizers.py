"""Converted vocabularies cut text as the originals do: llama.cpp's tokens against the tokenizers library's."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from fakes.conversions import converted
from fakes.llama_files import OpenFile, opened
from fakes.tiny_checkpoints import (
    LLAMA_CONFIG,
    QWEN2_WORDS,
    byte_fallback_tokenizer,
    byte_level_tokenizer,
    files_of,
    llama_weights,
    trained_byte_level,
    unigram_tokenizer,
    write_folder,
)

TEXTS = [
    "hello",
    "Hello, World!",
    "The quick brown fox jumps over the lazy dog.",
    "I'LL say it's DON'T you've we'd they're I'm",
    "1234567890 12 3 45678 3.14159 1,000,000",
    "  leading and   inner    spaces",
    "trailing spaces   ",
    "tabs\tand\nlines\n\nand\r\nmore \n \n",
    "Grüße, Straßenbahn, naïve café, Ärger",
    "Привет, мир! Сколько это стоит?",
    "東京は日本の首都です。",
    "안녕하세요 세계",
    "مرحبا بالعالم",
    "🙂🙃👩‍👩‍👧 emoji",
    "x = [1, 2, 3]; y += f(x)['key'] != None  # note",
    "snake_case camelCase PascalCase SCREAMING_CASE",
    "a" * 200,
    "\u00a0no-break\u2003em space\u200bzero width",
    "≠ ∑ → © ½ ² Ⅷ",
    "https://example.com/a?b=c&d=%20#e",
]

OTHER_SPACES = set("\t\n\r\u00a0\u2003\u200b")


def each_digit_and_words() -> Tokenizer:
    """SmolLM's and StarCoder's way of cutting."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False, use_regex=True)]
    )
    return trained_byte_level(tokenizer)


def tekken() -> Tokenizer:
    """Mistral Nemo's way of cutting."""
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    start = r"[^\r\n\p{L}\p{N}]?"
    rest = r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    return byte_level_tokenizer(f"{start}{upper}*{lower}+|{start}{upper}+{lower}*|{rest}")


def without_merges_where_a_word_is_a_token() -> Tokenizer:
    """Qwen's way of cutting, in other words: remove what does not match."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    return trained_byte_level(tokenizer)


KINDS: dict[str, tuple[str, Callable[[], Tokenizer]]] = {
    "llama 3": ("llama-bpe", byte_level_tokenizer),
    "llama 3 with merges": ("dbrx", lambda: byte_level_tokenizer(ignore_merges=False)),
    "qwen": ("qwen2", lambda: byte_level_tokenizer(QWEN2_WORDS, ignore_merges=False)),
    "qwen in other words": ("qwen2", without_merges_where_a_word_is_a_token),
    "gpt-2": ("gpt-2", lambda: byte_level_tokenizer(None, ignore_merges=False)),
    "smollm": ("smollm", each_digit_and_words),
    "tekken": ("tekken", tekken),
    "llama 2": ("default", byte_fallback_tokenizer),
    "unigrams": ("default", unigram_tokenizer),
}


@pytest.fixture(scope="module", params=KINDS.values(), ids=list(KINDS))
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Tokenizer, OpenFile]]:
    """llama.cpp's name for the way of cutting, the original, and llama.cpp with the converted vocabulary."""
    pre, make = request.param
    tokenizer = make()
    folder = tmp_path_factory.mktemp("vocabulary")
    files = write_model(folder, tokenizer)
    with opened(converted(files, folder)) as model:
        yield pre, tokenizer, model


def write_model(folder: Path, tokenizer: Tokenizer) -> dict[str, Path]:
    """A model around the tokenizer whose own size is none of the test's business."""
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size() + 3, "tie_word_embeddings": True}
    return write_folder(folder, config, llama_weights(config), tokenizer)


def test_the_way_of_cutting_text_gets_llama_cpps_name(pair: tuple[str, Tokenizer, OpenFile]) -> None:
    pre, _, model = pair
    assert model.metadata("tokenizer.ggml.pre") == pre


def test_texts_are_cut_as_the_original_cuts_them(pair: tuple[str, Tokenizer, OpenFile]) -> None:
    _, tokenizer, model = pair
    texts = [*TEXTS, " ".join(TEXTS)]
    if isinstance(tokenizer.model, models.Unigram):
        # Real ones have a table that turns every kind of space into the plain one; this small one has none.
        texts = [text for text in texts if not OTHER_SPACES & set(text)]
        assert len(texts) > len(TEXTS) / 2
    assert {text: model.tokenize(text) for text in texts} == {text: tokenizer.encode(text).ids for text in texts}


def test_the_original_knows_more_than_unknown_tokens(pair: tuple[str, Tokenizer, OpenFile]) -> None:
    _, tokenizer, _ = pair
    assert len({token for text in TEXTS for token in tokenizer.encode(text).ids}) > 100


def test_special_tokens_have_no_text_and_added_words_have_theirs(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    with opened(converted(write_model(tmp_path, tokenizer), tmp_path)) as model:
        text = "<|begin|>a<think>b<|end|>"
        tokens = model.tokenize(text, add_special=False)
        assert tokens == tokenizer.encode(text, add_special_tokens=False).ids
        assert [model.piece(token) for token in tokens] == [b"", b"a", b"<think>", b"b", b""]


def test_tokenizer_config_says_which_tokens_are_added_and_how_chats_look(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    write_model(tmp_path, tokenizer)
    config = {
        "bos_token": {"content": "<|end|>"},
        "eos_token": "<|begin|>",
        "add_bos_token": False,
        "add_eos_token": True,
        "chat_template": [{"name": "tools", "template": "T"}, {"name": "default", "template": "{{ messages }}"}],
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with opened(converted(files_of(tmp_path), tmp_path)) as model:
        assert model.tokenize("a") == [*tokenizer.encode("a", add_special_tokens=False).ids, 0]
        assert model.metadata("tokenizer.chat_template") == "{{ messages }}"
        assert model.metadata("tokenizer.ggml.bos_token_id") == "1"
    (tmp_path / "chat_template.jinja").write_text("a file of its own", encoding="utf-8")
    with opened(converted(files_of(tmp_path), tmp_path)) as model:
        assert model.metadata("tokenizer.chat_template") == "a file of its own"


def varint(number: int) -> bytes:
    content = b""
    while number >= 0x80:
        content += bytes([number & 0x7F | 0x80])
        number >>= 7
    return content + bytes([number])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def sentencepiece_file(tokenizer: Tokenizer) -> bytes:
    """`tokenizer.model` as SentencePiece would have written it for the same pieces."""
    model = json.loads(tokenizer.to_str())["model"]
    ranks = {"".join(merge): rank for rank, merge in reversed(list(enumerate(model["merges"])))}
    content = b""
    for text, token in sorted(model["vocab"].items(), key=lambda item: item[1]):
        kind = {0: 2, 1: 3, 2: 3}.get(token, 6 if text.startswith("<0x") else 1)
        score = struct.pack("<f", -ranks.get(text, 10_000))
        content += field(1, field(1, text.encode()) + varint(2 << 3 | 5) + score + field(3, kind))
    return content + field(2, field(3, 2)) + field(3, field(1, b"identity") + field(3, 1) + field(4, 0))


def test_the_oldest_folders_list_added_tokens_in_a_file_of_their_own(tmp_path: Path) -> None:
    tokenizer = byte_fallback_tokenizer()
    write_model(tmp_path, tokenizer)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.model").write_bytes(sentencepiece_file(tokenizer))
    size = tokenizer.get_vocab_size()
    added = {"<|im_start|>": size, "<tool>": size + 1, "</s>": 2}
    (tmp_path / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")
    config = {"bos_token": "<s>", "eos_token": "</s>", "additional_special_tokens": ["<|im_start|>"]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with opened(converted(files_of(tmp_path), tmp_path)) as model:
        assert model.tokenize("<|im_start|><tool>", add_special=False) == [size, size + 1]
        assert [model.piece(token) for token in (size, size + 1, 2)] == [b"", b"<tool>", b""]


def test_sentencepieces_own_file_makes_the_same_vocabulary(tmp_path: Path) -> None:
    tokenizer = byte_fallback_tokenizer()
    write_model(tmp_path, tokenizer)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.model").write_bytes(sentencepiece_file(tokenizer))
    size = tokenizer.get_vocab_size()
    added = {str(size): {"content": "<|im_start|>", "special": True}, str(size + 1): {"content": "<tool>"}}
    config = {"bos_token": "<s>", "eos_token": "</s>", "added_tokens_decoder": added}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with opened(converted(files_of(tmp_path), tmp_path)) as model:
        assert {text: model.tokenize(text) for text in TEXTS} == {text: tokenizer.encode(text).ids for text in TEXTS}
        assert model.tokenize("<|im_start|>", add_special=False) == [size]
        assert model.piece(size + 1) == b"<tool>"
