"""A vocabulary as GGUF stores it: texts, types and scores by token id, and how texts are put together."""

from collections.abc import Iterable
from typing import Final

import msgspec
from gguf import Keys, TokenType

from services.registry.conversion.gguf_file import Metadata
from services.registry.conversion.safetensors import label
from services.registry.conversion.source import refuse
from services.registry.conversion.vocabularies.tokenizer_files import AddedToken, TokenizerJson

TOKENS_MAX: Final = 1 << 20
SPACE: Final = "\u2581"
"""The character that stands for a space in SentencePiece's vocabularies and in all of llama.cpp's that are not
byte-level."""

_CONTROL_MARKS: Final = (("<|", "|>"), ("<\uff5c", "\uff5c>"))
"""Tokens that look like this are control tokens, even where the tokenizer forgot to call them special."""


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """`model` and `pre` are llama.cpp's names. `adds_bos` is what holds when the tokenizer's own files do not say."""

    model: str
    tokens: list[str]
    types: list[int]
    adds_bos: bool
    pre: str = "default"
    scores: list[float] = []
    merges: list[str] = []
    settings: Metadata = {}

    def metadata(self, size: int) -> Metadata:
        """GGUF metadata for a model whose table of embeddings has `size` rows; rows without a token get a filler.

        Raises: ModelFileInvalid when there are more tokens than rows, or a text twice, which would make llama.cpp stop.
        """
        if len(self.tokens) > size:
            refuse(f"the tokenizer has {len(self.tokens)} tokens, the model only {size}")
        missing = range(len(self.tokens), size)
        tokens = [*self.tokens, *(_filler(token) for token in missing)]
        _check_unique(tokens)
        values: Metadata = {
            Keys.Tokenizer.MODEL: self.model,
            Keys.Tokenizer.PRE: self.pre,
            Keys.Tokenizer.LIST: tokens,
            Keys.Tokenizer.TOKEN_TYPE: [*self.types, *(int(TokenType.UNUSED) for _ in missing)],
            **self.settings,
        }
        if self.scores:
            values[Keys.Tokenizer.SCORES] = [*self.scores, *(-10_000.0 for _ in missing)]
        if self.merges:
            values[Keys.Tokenizer.MERGES] = self.merges
        return values


def tokens_by_id(tokenizer: TokenizerJson) -> tuple[list[str], list[int]]:
    """Texts and types of all tokens in the order of their ids, those that were added to the vocabulary included.

    Raises: ModelFileInvalid.
    """
    vocab = tokenizer.model.vocab
    pairs = ((token, text) for text, token in vocab.items()) if isinstance(vocab, dict) else enumerate(_pieces(vocab))
    texts = dict(pairs)
    types: dict[int, int] = {}
    for added in tokenizer.added_tokens:
        texts[added.id] = added.content
        types[added.id] = int(added_type(added))
    if not texts:
        refuse("the tokenizer has no tokens")
    if min(texts) < 0 or max(texts) >= TOKENS_MAX:
        refuse(f"the tokenizer has token ids outside 0 to {TOKENS_MAX - 1}")
    size = max(texts) + 1
    tokens = [texts.get(token) or _filler(token) for token in range(size)]
    unused = int(TokenType.UNUSED)
    return tokens, [types.get(token, int(TokenType.NORMAL) if token in texts else unused) for token in range(size)]


def added_type(added: AddedToken) -> TokenType:
    """Control tokens have no text in an answer, user-defined ones do."""
    text = added.content
    looks_special = any(text.startswith(start) and text.endswith(end) for start, end in _CONTROL_MARKS)
    return TokenType.CONTROL if added.special or looks_special else TokenType.USER_DEFINED


def _pieces(vocab: Iterable[tuple[str, float]]) -> list[str]:
    return [piece for piece, _ in vocab]


def _filler(token: int) -> str:
    return f"[PAD{token}]"


def _check_unique(tokens: list[str]) -> None:
    seen: set[str] = set()
    for token in tokens:
        if token in seen:
            refuse(f"the tokenizer has the token {label(token)} twice")
        seen.add(token)
