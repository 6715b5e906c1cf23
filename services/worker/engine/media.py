"""Images and sound inside a prompt: tokens of their own that stand for them, and what that means for reuse. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Seq

from services.worker.engine.scheduler import PROMPT_TOKENS_MIN


class Media:
    """An image, or one part of a large one, as a model takes it in: whole, in a forward pass of its own.

    `tokens` stand for it, one for each place in KV memory. They are below zero, where no vocabulary has any, and made
    from `key`, so that the same content has the same tokens and the prefix cache needs to know nothing of images.
    """

    def __init__(self, key: str, tokens_count: int) -> None:
        assert tokens_count > 0
        first = -1 - int.from_bytes(hashlib.sha256(key.encode()).digest()[:7])
        self.key = key
        self.tokens: Seq[int] = range(first, first - tokens_count, -1)


Part = Seq[int] | Media
"""What a prompt consists of: tokens of text, and media between them."""


def joined(parts: Iterable[Part]) -> tuple[list[int], dict[int, Media]]:
    """All tokens of a prompt, and which media begin at which of them."""
    tokens: list[int] = []
    media: dict[int, Media] = {}
    for part in parts:
        if isinstance(part, Media):
            media[len(tokens)] = part
            tokens += part.tokens
        else:
            tokens += part
    return tokens, media


def words_of(tokens: Iterable[int]) -> list[int]:
    """The tokens that a vocabulary has."""
    return [token for token in tokens if token >= 0]


def startable(tokens_count: int, *, prompt_tokens: int, media: Mapping[int, Media]) -> int:
    """How many of the first `tokens_count` tokens may be taken as computed, so that the rest is computed as ever.

    Media are never entered half-way. Of a text, PROMPT_TOKENS_MIN tokens at least are computed or none, and of the last
    one always some, because its logits are needed.
    """
    text_begin = 0
    for begin in sorted(media):
        end = begin + len(media[begin].tokens)
        if tokens_count < begin:
            return _in_text(tokens_count, text_begin, begin)
        if tokens_count < end:
            return begin
        text_begin = end
    return _in_text(tokens_count, text_begin, prompt_tokens)


def _in_text(tokens_count: int, begin: int, end: int) -> int:
    return min(tokens_count, max(begin, end - PROMPT_TOKENS_MIN))
