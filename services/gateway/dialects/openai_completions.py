"""OpenAI's text completions: JSON bytes of `/v1/completions` to a typed call. Replies: `openai_completions_reply.py`.

A prompt that is text goes through the model's template, as Ollama has it; a prompt of tokens goes to the model as it
is. Lists of prompts, `n` and `echo`, which Ollama does not know, are honoured.
Source: OpenAI's API reference; Ollama `openai/openai.go`, `middleware/openai.go`.
"""

from collections.abc import Sequence

import msgspec

from services.gateway.capabilities import Asked
from services.gateway.dialects.openai import choices_count, stop_texts
from shared.errors import ParameterInvalid
from shared.go_json import GoFields, decode_object, go_kind

PromptText = str | tuple[int, ...]


class CompletionCall(msgspec.Struct, frozen=True, kw_only=True):
    """`echoes` are put in front of each prompt's answers; empty when there is to be no echo."""

    model: str
    prompts: tuple[PromptText, ...]
    echoes: tuple[str, ...]
    stream: bool
    include_usage: bool
    choices_per_prompt: int
    options: dict[str, object]
    asked: Asked


def parse_completion(body: bytes) -> CompletionCall:
    """Raises: ParameterInvalid."""
    if not body.strip():
        raise ParameterInvalid("EOF")
    fields = GoFields("CompletionRequest", decode_object(body, go_type="openai.CompletionRequest"))
    prompts = _prompts(fields.anything("prompt"))
    stream_options = GoFields("StreamOptions", fields.mapping("stream_options", "openai.StreamOptions") or {})
    unserved = {"logprobs": fields.integer("logprobs") is not None, "logit_bias": bool(fields.mapping("logit_bias"))}
    count = choices_count(fields)
    if fields.integer("best_of") not in (None, count):
        raise ParameterInvalid("best_of must equal n: answers are not ranked")
    return CompletionCall(
        model=fields.text("model"),
        prompts=prompts,
        echoes=_echoes(prompts) if fields.flag("echo") else (),
        stream=fields.flag("stream") or False,
        include_usage=stream_options.flag("include_usage") or False,
        choices_per_prompt=count,
        options=_options(fields),
        asked=Asked(
            insert=bool(fields.text("suffix")),
            unserved=tuple(name for name, is_asked in unserved.items() if is_asked),
        ),
    )


def _prompts(value: object) -> tuple[PromptText, ...]:
    """A text, a list of texts, tokens, or a list of tokens; none is one empty text.

    Raises: ParameterInvalid.
    """
    match value:
        case None:
            return ("",)
        case str():
            return (value,)
        case list() if value and all(isinstance(item, str) for item in value):
            return tuple(value)
        case list() if value and all(isinstance(item, list) for item in value):
            return tuple(_tokens(item) for item in value)
        case list() if value:
            return (_tokens(value),)
    raise ParameterInvalid("prompt must be a string, a list of strings, a list of tokens, or a list of those")


def _tokens(items: Sequence[object]) -> tuple[int, ...]:
    tokens = tuple(item for item in items if isinstance(item, int) and not isinstance(item, bool))
    if not tokens or len(tokens) != len(items):
        raise ParameterInvalid("a prompt of tokens must be a list of integers that is not empty")
    return tokens


def _echoes(prompts: Sequence[PromptText]) -> tuple[str, ...]:
    echoes = tuple(prompt for prompt in prompts if isinstance(prompt, str))
    if len(echoes) != len(prompts):
        raise ParameterInvalid("echo needs prompts that are text")
    return echoes


def _options(fields: GoFields) -> dict[str, object]:
    """Absent `temperature` and `top_p` are 1, absent penalties 0, whatever the model says."""
    values: dict[str, object] = {
        "num_predict": fields.integer("max_tokens"),
        "temperature": _or(fields.real("temperature"), 1.0),
        "top_p": _or(fields.real("top_p"), 1.0),
        "seed": fields.integer("seed"),
        "frequency_penalty": _or(fields.real("frequency_penalty"), 0.0),
        "presence_penalty": _or(fields.real("presence_penalty"), 0.0),
        "stop": _stop(fields.anything("stop")),
    }
    return {name: value for name, value in values.items() if value is not None}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _stop(value: object) -> list[str] | None:
    """Raises: ParameterInvalid; this route names a wrong type as Ollama does."""
    if value is None or isinstance(value, str | list):
        return stop_texts(value)
    raise ParameterInvalid(
        f"invalid type for 'stop' field: {'float64' if go_kind(value) == 'number' else go_kind(value)}"
    )
