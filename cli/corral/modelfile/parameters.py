"""PARAMETER values: text to typed values and back.

Source: Ollama `api/types.go` (FormatParams), `parser/parser.go` (CreateRequest).
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from corral.modelfile.grammar import ModelfileInvalid

INTS: Final = frozenset({
    "num_ctx", "num_keep", "num_predict", "seed", "top_k", "repeat_last_n", "num_batch", "num_gpu", "main_gpu",
    "num_thread", "draft_num_predict",
})  # fmt: skip
FLOATS: Final = frozenset({
    "temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty",
})  # fmt: skip
BOOLS: Final = frozenset({"use_mmap", "reproducible"})
"""`reproducible` is Corral's own."""
LISTS: Final = frozenset({"stop"})
DEPRECATED: Final = frozenset({
    "mirostat", "mirostat_tau", "mirostat_eta", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock",
    "penalize_newline",
})  # fmt: skip
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_INT: Final = re.compile(r"[+-]?[0-9]{1,40}\Z")
_INT_MAX: Final = 2**63 - 1
_FLOAT: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
_FLOAT_MAX: Final = 3.4028234663852886e38
"""The largest 32-bit float."""

ParameterValue = int | float | bool | list[str]


def typed_parameters(given: Iterable[tuple[str, str]]) -> dict[str, ParameterValue]:
    """Every parameter with its value in its own type: all the values of a list, otherwise the last one given.

    Raises: ModelfileInvalid.
    """
    parameters: dict[str, ParameterValue] = {}
    for name, text in given:
        value = _typed(name, text)
        before = parameters.get(name)
        parameters[name] = [*before, *value] if isinstance(value, list) and isinstance(before, list) else value
    return parameters


def parameter_lines(parameters: Mapping[str, ParameterValue]) -> Iterator[tuple[str, str]]:
    """Name and text of each value; `typed_parameters` makes the same parameters of them."""
    for name, value in parameters.items():
        match value:
            case list():
                yield from ((name, item) for item in value)
            case bool():
                yield name, "true" if value else "false"
            case _:
                yield name, repr(value)


def _typed(name: str, text: str) -> ParameterValue:
    if name in LISTS:
        return [text]
    if name in INTS:
        if not _INT.match(text) or not -_INT_MAX - 1 <= int(text) <= _INT_MAX:
            raise ModelfileInvalid(f"invalid int value [{text}]")
        return int(text)
    if name in FLOATS:
        # JSON knows neither infinities nor NaN, so they are no values here either.
        if not _FLOAT.match(text) or not math.fabs(float(text)) <= _FLOAT_MAX:
            raise ModelfileInvalid(f"invalid float value [{text}]")
        return float(text)
    if name in BOOLS:
        if text not in _TRUE | _FALSE:
            raise ModelfileInvalid(f"invalid bool value [{text}]")
        return text in _TRUE
    raise ModelfileInvalid(f"unknown parameter '{name}'")
