"""OpenAI's text completions: JSON bytes of `/v1/completions` to a typed call. Replies: `openai_completions_reply.py`.

A prompt that is text goes through the model's template, as Ollama has it; a prompt of tokens goes to the model as it
is. Lists of prompts, `n`, `echo`, `logprobs` and `logit_bias`, which Ollama does not know, are honoured. `user` is
accepted and does nothing: it is a note for OpenAI's records.
Source: OpenAI's API reference; Ollama `openai/openai.go`, `middleware/openai.go`.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from services.gateway.dialects.ollama import keep_alive_s
from services.gateway.dialects.openai_options import (
    SAMPLING_DEFAULTS,
    choices_count,
    includes_usage,
    logit_bias,
    read_options,
    stop_texts,
)
from shared.errors import ParameterInvalid
from shared.generation import Sampling
from shared.go_json import GoFields, decode_object, go_kind

LOGPROBS_MAX: Final = 5
_DEFAULTS: Final = {**SAMPLING_DEFAULTS, "frequency_penalty": 0.0, "presence_penalty": 0.0}

PromptText = str | tuple[int, ...]


class CompletionCall(msgspec.Struct, frozen=True, kw_only=True):
    """`echoes` are put in front of each prompt's answers; empty when there is to be no echo. With a `suffix` the
    answers are what stands between it and the prompts. `keep_alive_s` None keeps what the model has.
    """

    model: str
    prompts: tuple[PromptText, ...]
    suffix: str
    echoes: tuple[str, ...]
    stream: bool
    include_usage: bool
    choices_per_prompt: int
    options: dict[str, object]
    sampling: Sampling
    keep_alive_s: float | None
    asked: Asked


def parse_completion(body: bytes) -> CompletionCall:
    """Raises: ParameterInvalid."""
    if not body.strip():
        raise ParameterInvalid("EOF")
    fields = GoFields("CompletionRequest", decode_object(body, go_type="openai.CompletionRequest"))
    prompts = _prompts(fields.anything("prompt"))
    count = choices_count(fields)
    if fields.integer("best_of") not in (None, count):
        raise ParameterInvalid("best_of must equal n: answers are not ranked")
    echoes = _texts(prompts, "echo") if fields.flag("echo") else ()
    top_logprobs = _top_logprobs(fields)
    if echoes and top_logprobs is not None:
        raise ParameterInvalid("echo and logprobs exclude each other: a prompt's log-probabilities are not computed")
    suffix = fields.text("suffix")
    return CompletionCall(
        model=fields.text("model"),
        prompts=_texts(prompts, "suffix") if suffix else prompts,
        suffix=suffix,
        echoes=echoes,
        stream=fields.flag("stream") or False,
        include_usage=includes_usage(fields),
        choices_per_prompt=count,
        options=read_options(
            fields,
            defaults=_DEFAULTS,
            num_predict=fields.integer("max_tokens"),
            stop=_stop(fields.anything("stop")),
        ),
        sampling=Sampling(logit_bias=logit_bias(fields), top_logprobs=top_logprobs),
        keep_alive_s=keep_alive_s(fields.anything("keep_alive")),
        asked=Asked(insert=bool(suffix)),
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


def _texts(prompts: Sequence[PromptText], field: str) -> tuple[str, ...]:
    texts = tuple(prompt for prompt in prompts if isinstance(prompt, str))
    if len(texts) != len(prompts):
        raise ParameterInvalid(f"{field} needs prompts that are text")
    return texts


def _top_logprobs(fields: GoFields) -> int | None:
    count = fields.integer("logprobs")
    if count is not None and not 0 <= count <= LOGPROBS_MAX:
        raise ParameterInvalid(f"logprobs must be between 0 and {LOGPROBS_MAX}")
    return count


def _stop(value: object) -> list[str] | None:
    """Raises: ParameterInvalid; this route names a wrong type as Ollama does."""
    if value is None or isinstance(value, str | list):
        return stop_texts(value)
    raise ParameterInvalid(
        f"invalid type for 'stop' field: {'float64' if go_kind(value) == 'number' else go_kind(value)}"
    )
