"""How a byte-level tokenizer cuts text before it merges, and what llama.cpp calls that way of cutting.

llama.cpp knows a fixed list of ways by name. A tokenizer that cuts in another way is refused: under a wrong name the
model would answer, only worse, and nobody would know why.
Source: llama.cpp `llama-vocab.cpp` (llm_tokenizer_bpe), `tokenizer.json` of the models named below.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.registry.conversion.safetensors import label
from services.registry.conversion.source import refuse
from services.registry.conversion.vocabularies.tokenizer_files import Model, Part

_DIGITS: Final = "(each digit)"
_GPT2: Final = "(GPT-2's words)"

_WORDS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_REST: Final = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3: Final = rf"{_WORDS}|\p{{N}}{{1,3}}|{_REST}"
_QWEN2: Final = rf"{_WORDS}|\p{{N}}|{_REST}"
_TEKKEN: Final = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class _Way(msgspec.Struct, frozen=True):
    """The steps, and whether a word that is a token is taken whole without looking at merges."""

    steps: tuple[str, ...]
    ignores_merges: bool = False


_NAMES: Final = {
    _Way((_GPT2,)): "gpt-2",
    _Way((_DIGITS, _GPT2)): "smollm",  # and StarCoder's
    _Way((_LLAMA3,), ignores_merges=True): "llama-bpe",
    _Way((_LLAMA3,)): "dbrx",
    _Way((_QWEN2,)): "qwen2",
    _Way((_TEKKEN,), ignores_merges=True): "tekken",
}


def pre_tokenizer_name(parts: Sequence[Part], model: Model) -> str:
    """llama.cpp's name for the way of cutting.

    Raises: ModelFileInvalid.
    """
    steps = tuple(step for part in parts if (step := _step(part)))
    name = _NAMES.get(_Way(steps, model.ignore_merges))
    if name is None:
        refuse(f"the tokenizer cuts text in a way that is not supported: {label(' then '.join(steps))}")
    return name


def _step(part: Part) -> str:
    """What a part does, as the table above writes it; empty when it cuts nothing."""
    if part.type == "ByteLevel" and not part.add_prefix_space:
        return _GPT2 if part.use_regex else ""
    if part.type == "Digits" and part.individual_digits:
        return _DIGITS
    # To remove all that does not match is to keep what does: the same cuts in other words.
    keeps_matches = (part.behavior, part.invert) in (("Isolated", False), ("Removed", True))
    if part.type == "Split" and keeps_matches and part.pattern is not None and part.pattern.regex is not None:
        return part.pattern.regex
    return f"({part.type})"
