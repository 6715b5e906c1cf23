"""A new generation becomes a sequence: its prompt in tokens, its limits, or the reason it cannot run. Pure."""

from collections.abc import Iterable
from collections.abc import Sequence as Seq
from typing import Final

import msgspec

from services.worker.engine.backend import Vocabulary
from services.worker.engine.media import Media, Part, joined
from services.worker.engine.sequence import NewSequence, Sequence
from services.worker.engine.shifting import kept_tokens, without_middle
from shared.errors import ContextLengthExceeded, ParameterInvalid
from shared.options import Options

TOKEN_CHARACTERS_MAX: Final = 64
"""Texts with more characters than this for every token of their context are refused without tokenizing them: that
happens between two steps of the engine, and megabytes would hold up everybody's stream."""


class ContextLimits(msgspec.Struct, frozen=True):
    """`tokens_default` is for sequences that ask for no context size; others get `tokens_min` to `tokens_max`."""

    tokens_default: int
    tokens_max: int
    tokens_min: int = 1


def prepared(
    new: NewSequence,
    vocabulary: Vocabulary,
    limits: ContextLimits,
    *,
    parts: Iterable[Part] | None = None,
    received_ns: int,
) -> Sequence:
    """The sequence that runs `new`; `parts` are what its prompt became where it has images.

    Raises: ContextLengthExceeded, ParameterInvalid.
    """
    tokens_max = context_tokens_of(new.options, limits)
    prompt, media = prompt_of(new, vocabulary, tokens_max, parts)
    if any(not 0 <= token < vocabulary.tokens_count for token in new.sampling.logit_bias):
        raise ParameterInvalid("invalid logit_bias: it names tokens this model does not have")
    kept = kept_tokens(
        new.options.num_keep,
        prompt_tokens=len(prompt),
        special_tokens=_common_length(vocabulary.tokenize("", add_special=True), prompt),
        tokens_max=tokens_max,
    )
    fitting = prompt
    if len(prompt) >= tokens_max:
        may_cut = new.cuts_prompt and not media
        fitting = without_middle(prompt, kept, tokens_max=tokens_max) if may_cut else []
    if not fitting:
        raise ContextLengthExceeded(prompt_tokens=len(prompt), context_tokens=tokens_max)
    return Sequence(
        new,
        prompt=fitting,
        media=media,
        left_out_tokens=len(prompt) - len(fitting),
        kept_tokens=kept,
        shared_tokens=_shared_tokens(new, fitting, vocabulary),
        markers={
            token: marker.encode() for marker in new.markers if (token := vocabulary.token_of(marker)) is not None
        },
        tokens_max=tokens_max,
        received_ns=received_ns,
    )


def context_tokens_of(options: Options, limits: ContextLimits) -> int:
    """How many tokens a sequence with these options may have, prompt and output together."""
    asked = max(options.num_ctx, limits.tokens_min) if options.num_ctx else limits.tokens_default
    return min(asked, limits.tokens_max)


def prompt_of(
    new: NewSequence, vocabulary: Vocabulary, tokens_max: int, parts: Iterable[Part] | None
) -> tuple[list[int], dict[int, Media]]:
    """The prompt in tokens, its context in front, and its media by their place; it may be longer than a context of
    `tokens_max`, within reason.

    Raises: ContextLengthExceeded for a text far beyond it, ParameterInvalid.
    """
    check_length(new, tokens_max)
    if any(not 0 <= token < vocabulary.tokens_count for token in new.context):
        # A client's own numbers: one unknown token would fail everybody's batch.
        raise ParameterInvalid("invalid context: it holds tokens this model does not have")
    if parts is None:
        parts = [vocabulary.tokenize(new.prompt, add_special=not new.context)]
    prompt, media = joined([new.context, *parts])
    if not prompt:
        raise ParameterInvalid("the prompt is empty")
    if prompt[-1] < 0:
        raise ParameterInvalid("the prompt ends with an image; this model needs text after it")
    return prompt, media


def check_length(new: NewSequence, tokens_max: int) -> None:
    """Raises: ContextLengthExceeded for a text, or tokens, far beyond a context of `tokens_max`."""
    tokens_min = (len(new.prompt) + len(new.context)) // TOKEN_CHARACTERS_MAX
    if tokens_min > tokens_max:
        raise ContextLengthExceeded(prompt_tokens=tokens_min, context_tokens=tokens_max)


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
