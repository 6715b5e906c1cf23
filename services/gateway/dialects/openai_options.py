"""Options that OpenAI's chat and text completions have in common. Pure.

Beside OpenAI's own fields those are honoured that local servers have taught clients: `top_k`, `min_p`,
`repeat_penalty` (or `repetition_penalty`), and Ollama's `options`, which what stands beside them overrides.
"""

from collections.abc import Mapping
from typing import Final

from shared.errors import ParameterInvalid
from shared.go_json import GoFields

BIAS_MAX: Final = 100
TOKEN_ID_DIGITS_MAX: Final = 9
SAMPLING_DEFAULTS: Final = {"temperature": 1.0, "top_p": 1.0}
"""What OpenAI's clients expect where they say nothing, whatever the model says."""


def read_options(
    fields: GoFields, *, defaults: Mapping[str, float], num_predict: int | None, stop: list[str] | None
) -> dict[str, object]:
    """The options of a request by the names they have here.

    Raises: ParameterInvalid.
    """
    repeat_penalty = fields.real("repeat_penalty")
    said: dict[str, object] = {
        "num_predict": num_predict,
        "temperature": fields.real("temperature"),
        "top_p": fields.real("top_p"),
        "top_k": fields.integer("top_k"),
        "min_p": fields.real("min_p"),
        "repeat_penalty": fields.real("repetition_penalty") if repeat_penalty is None else repeat_penalty,
        "seed": fields.integer("seed"),
        "frequency_penalty": fields.real("frequency_penalty"),
        "presence_penalty": fields.real("presence_penalty"),
        "stop": stop,
    }
    return {**defaults, **_set(fields.mapping("options") or {}), **_set(said)}


def _set(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def stop_texts(value: object) -> list[str] | None:
    """Raises: ParameterInvalid."""
    match value:
        case None:
            return None
        case str():
            return [value]
        case list() if all(isinstance(item, str) for item in value):
            return value
    raise ParameterInvalid("stop must be a string or a list of strings")


def choices_count(fields: GoFields) -> int:
    """How many answers a prompt is to have."""
    count = fields.integer("n")
    return 1 if count is None else count


def includes_usage(fields: GoFields) -> bool:
    """Whether a stream ends with its usage. `include_obfuscation` does nothing: there is no padding to leave out."""
    stream_options = GoFields("StreamOptions", fields.mapping("stream_options", "openai.StreamOptions") or {})
    return stream_options.flag("include_usage") or False


def logit_bias(fields: GoFields) -> dict[int, float]:
    """Token ids, which are the keys, to what is added to their logits.

    Raises: ParameterInvalid.
    """
    bias: dict[int, float] = {}
    for key, value in (fields.mapping("logit_bias") or {}).items():
        if not key.isdecimal() or not key.isascii() or len(key) > TOKEN_ID_DIGITS_MAX:
            raise ParameterInvalid(f'invalid logit_bias: "{key}" is not a token id')
        if isinstance(value, bool) or not isinstance(value, int | float) or not -BIAS_MAX <= value <= BIAS_MAX:
            raise ParameterInvalid(f"invalid logit_bias: values must be numbers from {-BIAS_MAX} to {BIAS_MAX}")
        bias[int(key)] = float(value)
    return bias
