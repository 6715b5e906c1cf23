"""A model that embeds, without a model: a vector tells the tokens it came from, and every pass is remembered."""

import struct
from collections.abc import Sequence

from fakes.backend import FakeVocabulary
from services.worker.engine.backend import DecodeFailed


class FakeEmbeddingBackend:
    """A sequence's vector is its length, its first and its last token. Passes that hold `bad_token` fail."""

    def __init__(
        self,
        *,
        context_tokens: int = 16,
        batch_tokens_max: int = 16,
        sequences_max: int = 4,
        bad_token: int | None = None,
    ) -> None:
        self.vocabulary = FakeVocabulary()
        self.context_tokens = context_tokens
        self.batch_tokens_max = batch_tokens_max
        self.sequences_max = sequences_max
        self.passes: list[list[list[int]]] = []
        self._bad_token = bad_token

    def embed(self, sequences: Sequence[Sequence[int]]) -> list[bytes]:
        assert 0 < len(sequences) <= self.sequences_max
        assert sum(map(len, sequences)) <= self.batch_tokens_max
        assert all(0 < len(tokens) <= self.context_tokens for tokens in sequences)
        self.passes.append([list(tokens) for tokens in sequences])
        if any(self._bad_token in tokens for tokens in sequences):
            raise DecodeFailed("a bad token")
        return [vector_of(tokens) for tokens in sequences]

    def grow(self, context_tokens: int) -> None:
        assert context_tokens > self.context_tokens
        self.context_tokens = context_tokens
        self.batch_tokens_max = max(context_tokens, self.batch_tokens_max)


def vector_of(tokens: Sequence[int]) -> bytes:
    return struct.pack("<3f", len(tokens), tokens[0], tokens[-1])
