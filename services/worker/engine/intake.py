"""A new generation becomes a sequence: its prompt in tokens, its limits, or the reason it cannot run. Pure."""

from collections.abc import Sequence as Seq
from typing import Final

import msgspec

from services.worker.engine.backend import Vocabulary
from services.worker.engine.sequence import NewSequence, Sequence
from shared.errors import ContextLengthExceeded, ParameterInvalid
from shared.options import Options

TOKEN_CHARACTERS_MAX: Final = 64
"""Texts with more characters than this for every token of their context are refused without tokenizing them: that
happens between two steps of the engine, and megabytes would hold up everybody's stream."""


class ContextLimits(msgspec.Struct, frozen=True):
    """`tokens_default` is for sequences that ask for no context size, `tokens_max` for those that do."""

    tokens_default: int
    tokens_max: int


def prepared(new: NewSequence, vocabulary: Vocabulary, limits: ContextLimits, *, received_ns: int) -> Sequence:
    """The sequence that runs `new`.

    Raises: ContextLengthExceeded, ParameterInvalid.
    """
    tokens_max = context_tokens_of(new.options, limits)
    prompt = prompt_tokens(new, vocabulary, tokens_max)
    if any(not 0 <= token < vocabulary.tokens_count for token in new.sampling.logit_bias):
        raise ParameterInvalid("invalid logit_bias: it names tokens this model does not have")
    if len(prompt) >= tokens_max:
        raise ContextLengthExceeded(prompt_tokens=len(prompt), context_tokens=tokens_max)
    return Sequence(
        new,
        prompt=prompt,
        shared_tokens=_shared_tokens(new, prompt, vocabulary),
        markers={
            token: marker.encode() for marker in new.markers if (token := vocabulary.token_of(marker)) is not None
        },
        tokens_max=tokens_max,
        received_ns=received_ns,
    )


def context_tokens_of(options: Options, limits: ContextLimits) -> int:
    """How many tokens a sequence with these options may have, prompt and output together."""
    return min(options.num_ctx or limits.tokens_default, limits.tokens_max)


def prompt_tokens(new: NewSequence, vocabulary: Vocabulary, tokens_max: int) -> list[int]:
    """The prompt in tokens, its context in front; it may be longer than a context of `tokens_max`, within reason.

    Raises: ContextLengthExceeded for a text far beyond it, ParameterInvalid.
    """
    if any(not 0 <= token < vocabulary.tokens_count for token in new.context):
        # A client's own numbers: one unknown token would fail everybody's batch.
        raise ParameterInvalid("invalid context: it holds tokens this model does not have")
    tokens_min = len(new.prompt) // TOKEN_CHARACTERS_MAX
    if tokens_min > tokens_max:
        raise ContextLengthExceeded(prompt_tokens=tokens_min, context_tokens=tokens_max)
    prompt = [*new.context, *vocabulary.tokenize(new.prompt, add_special=not new.context)]
    if not prompt:
        raise ParameterInvalid("the prompt is empty")
    return prompt


def _shared_tokens(new: NewSequence, prompt: Seq[int], vocabulary: Vocabulary) -> int:
    """How many tokens at the beginning of the prompt come from `shared_prefix` alone."""
    if not new.shared_prefix or new.context:
        return 0
    beginning = vocabulary.tokenize(new.shared_prefix, add_special=True)
    # The last token of a cut text may differ from the one at that place in the whole text.
    return max(0, min(_common_length(beginning, prompt), len(beginning) - 1))


def _common_length(a: Seq[int], b: Seq[int]) -> int:
    for index, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right:
            return index
    return min(len(a), len(b))
