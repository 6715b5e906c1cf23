"""The model options of Ollama's defaults table: names, types, defaults, and how a request overrides a model.

Source: Ollama `api/types.go` (Options, Runner, DefaultOptions).
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from shared.errors import OptionTypeInvalid, ParameterInvalid


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to sample one generation and where to stop it. Units: `num_*` and `*_n` are tokens.

    `num_ctx` limits this sequence's tokens, prompt and output together (0 = the worker's default); `num_predict`
    below zero means until the model stops or the context is full; `seed` below zero draws a random one.
    `reproducible` is Corral's own: never reuse tokens another generation decoded, so that the answer does not
    depend on what the prefix cache held.
    """

    num_ctx: int = 0
    num_keep: int = 4
    num_predict: int = -1
    seed: int = -1
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    reproducible: bool = False


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options that act when a model is loaded. They come from the model only: a request never causes a reload."""

    num_batch: Annotated[int, Meta(ge=1)] = 512
    num_gpu: int = -1
    main_gpu: int = 0
    use_mmap: bool = True
    num_thread: int = 0


STOPS_MAX: Final = 256
STOP_CHARACTERS_MAX: Final = 8192
"""The engine looks for every one of them after every token, between other people's."""

_INTEGER_MAX = 2**63 - 1
_GO_TYPES: dict[str, str] = {
    **dict.fromkeys(
        (
            "num_ctx", "num_keep", "num_predict", "seed", "top_k", "repeat_last_n",
            "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict",
        ),
        "integer",
    ),
    **dict.fromkeys(
        (
            "temperature", "top_p", "min_p", "typical_p",
            "repeat_penalty", "presence_penalty", "frequency_penalty",
        ),
        "float32",
    ),
    **dict.fromkeys(("use_mmap", "reproducible"), "boolean"),
    "stop": "array",
}  # fmt: skip


def checked_option(name: str, value: object) -> object:
    """The option's value in its own type: numbers for ints are truncated, a stop list becomes a tuple.

    Raises: OptionTypeInvalid with Ollama's text when the JSON type is wrong, or an integer has more than 64 bits;
        ParameterInvalid for more stop strings than the engine can look for after every token.
    """
    expected = _GO_TYPES[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match expected:
        case "integer" if is_number and -_INTEGER_MAX <= value <= _INTEGER_MAX:  # type: ignore[operator]
            return int(value)  # type: ignore[call-overload]
        case "float32" if is_number:
            return float(value)  # type: ignore[arg-type]
        case "boolean" if isinstance(value, bool):
            return value
        case "array" if isinstance(value, list | tuple):
            if not all(isinstance(item, str) for item in value):
                raise OptionTypeInvalid(f'option "{name}" must be of an array of strings')
            if len(value) > STOPS_MAX or sum(map(len, value)) > STOP_CHARACTERS_MAX:
                allowed = f"{STOPS_MAX} with {STOP_CHARACTERS_MAX} characters in all"
                raise ParameterInvalid(f"too many stop strings: at most {allowed} are looked for")
            return tuple(value)
    raise OptionTypeInvalid(f'option "{name}" must be of type {expected}')


def merged(*layers: Mapping[str, object]) -> dict[str, object]:
    """Known options of all layers, later ones replacing earlier ones key by key; null counts as unset.

    Unknown names are dropped, as Ollama does.
    Raises: OptionTypeInvalid.
    """
    result: dict[str, object] = {}
    for layer in layers:
        for name, value in layer.items():
            if name in _GO_TYPES and value is not None:
                result[name] = checked_option(name, value)
    return result


def options_from(values: Mapping[str, object]) -> Options:
    """The per-request options among already merged values."""
    return msgspec.convert({k: v for k, v in values.items() if k in Options.__struct_fields__}, Options)


def load_options_from(values: Mapping[str, object]) -> LoadOptions:
    """The load-time options among already merged values."""
    return msgspec.convert({k: v for k, v in values.items() if k in LoadOptions.__struct_fields__}, LoadOptions)
