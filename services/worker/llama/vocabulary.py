"""The tokens of one model: text to tokens, tokens to bytes."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import llama_cpp as lib

from services.worker.llama import bindings


class LlamaVocabulary:
    """Tokens of one model; pieces are cached, because the same few thousand come again and again."""

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab
        self.tokens_count = int(lib.llama_vocab_n_tokens(vocab))
        self._bos = lib.llama_vocab_bos(vocab)
        self._adds_bos = bool(lib.llama_vocab_get_add_bos(vocab))
        self.bos_text = bindings.token_text(vocab, self._bos)
        self.eos_text = bindings.token_text(vocab, lib.llama_vocab_eos(vocab))
        self.piece = lru_cache(maxsize=65_536)(self._piece)

    @cached_property
    def front(self) -> Sequence[int]:
        """The tokens that begin every prompt."""
        return self.tokenize("", add_special=True)

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        tokens = bindings.tokenize(self._vocab, text.encode(), add_special=add_special)
        # Chat templates often write the BOS token that the tokenizer adds as well.
        if add_special and self._adds_bos and tokens[:2] == [self._bos, self._bos]:
            return tokens[1:]
        return tokens

    def _piece(self, token: int) -> bytes:
        return bindings.piece(self._vocab, token)

    def token_of(self, text: str) -> int | None:
        tokens = bindings.tokenize(self._vocab, text.encode(), add_special=False)
        return tokens[0] if len(tokens) == 1 else None

    def ends_generation(self, token: int) -> bool:
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    @cached_property
    def ending(self) -> Sequence[int]:
        return tuple(token for token in range(self.tokens_count) if self.ends_generation(token))
