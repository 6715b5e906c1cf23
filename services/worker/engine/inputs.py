"""What an embedding is asked to embed, and the tokens of one input: whole, cut to fit, or refused. Pure."""

from collections.abc import Sequence as Seq

import msgspec

from services.worker.engine.backend import Vocabulary
from services.worker.engine.intake import TOKEN_CHARACTERS_MAX
from shared.errors import InputTooLong, ParameterInvalid
from shared.options import Options

Input = str | tuple[int, ...]


class NewEmbedding(msgspec.Struct, frozen=True, kw_only=True, tag="embed"):
    """Inputs to turn into one vector each. Those too long for the context are cut, or refused without `truncate`."""

    sequence_id: int
    inputs: tuple[Input, ...]
    truncate: bool
    options: Options


class InputTokens(msgspec.Struct, frozen=True):
    tokens: Seq[int]
    truncated: bool


def input_tokens(value: Input, vocabulary: Vocabulary, *, tokens_max: int, truncate: bool) -> InputTokens:
    """The tokens of one input, at most `tokens_max`.

    Raises: InputTooLong, ParameterInvalid.
    """
    if isinstance(value, str):
        found = _of_text(value, vocabulary, tokens_max=tokens_max, truncate=truncate)
    else:
        found = _of_tokens(value, vocabulary, tokens_max=tokens_max, truncate=truncate)
    if not found.tokens:
        raise ParameterInvalid("the input is empty")
    return found


def _of_text(text: str, vocabulary: Vocabulary, *, tokens_max: int, truncate: bool) -> InputTokens:
    # Tokenizing megabytes to keep a few hundred tokens would hold up everybody's step.
    shown = text[: tokens_max * TOKEN_CHARACTERS_MAX]
    is_cut = len(shown) < len(text)
    if is_cut and not truncate:
        raise InputTooLong
    whole = vocabulary.tokenize(shown, add_special=True)
    if len(whole) <= tokens_max:
        return InputTokens(whole, is_cut)
    if not truncate:
        raise InputTooLong
    return InputTokens(shortened(whole, vocabulary.tokenize(shown, add_special=False), tokens_max), True)


def _of_tokens(tokens: tuple[int, ...], vocabulary: Vocabulary, *, tokens_max: int, truncate: bool) -> InputTokens:
    if any(not 0 <= token < vocabulary.tokens_count for token in tokens):
        # A client's own numbers: one unknown token would fail everybody's batch.
        raise ParameterInvalid("invalid input: it holds tokens this model does not have")
    is_long = len(tokens) > tokens_max
    if is_long and not truncate:
        raise InputTooLong
    return InputTokens(tokens[:tokens_max], is_long)


def shortened(whole: list[int], content: list[int], tokens_max: int) -> list[int]:
    """`whole` cut to `tokens_max` tokens: the end of its `content` goes, the special tokens around it stay.

    Raises: ParameterInvalid when the special tokens alone are too many.
    """
    special_count = len(whole) - len(content)
    room = tokens_max - special_count
    if room <= 0:
        raise ParameterInvalid("input after truncation exceeds maximum context length")
    for begin in range(special_count + 1):
        end = begin + len(content)
        if whole[begin:end] == content:
            return [*whole[:begin], *content[:room], *whole[end:]]
    # A tokenizer that writes the content differently beside special tokens.
    return whole[:tokens_max]
