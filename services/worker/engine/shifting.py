"""What may leave a full context so that its generation can go on: pure arithmetic over numbers of tokens.

    | kept | leaves | the newer half: moves up |
Source: Ollama's context shift (`num_keep`); Corral tells what left, and serves nothing that moved as a cached prefix.
"""

from collections.abc import Sequence as Seq
from typing import Final

CONTEXTS_MAX: Final = 10
"""A generation that may shift ends after so many times its context, as Ollama's do, asked for or not."""

ROOM_MIN: Final = 4
"""So many tokens of a context can never be kept, or nothing could leave it."""


def kept_tokens(num_keep: int, *, prompt_tokens: int, special_tokens: int, tokens_max: int) -> int:
    """How many tokens in front always stay: `num_keep` beside the special ones, or the prompt where it is negative."""
    wanted = prompt_tokens if num_keep < 0 else min(num_keep + special_tokens, prompt_tokens)
    return max(0, min(wanted, tokens_max - ROOM_MIN))


def leaving_tokens(held_tokens: int, kept: int) -> int:
    """How many of the tokens behind those kept leave a context that holds `held_tokens`: the older half, at least one.

    The tokens held are more than those kept.
    """
    return max(1, (held_tokens - kept) // 2)


def without_middle(prompt: Seq[int], kept: int, *, tokens_max: int) -> list[int]:
    """Those kept and the end of a prompt that is too long; what is left of the context is half filled.

    Empty where the context has no room for a token and its answer.
    """
    end = (tokens_max - kept) // 2
    return [*prompt[:kept], *prompt[len(prompt) - end :]] if end else []
