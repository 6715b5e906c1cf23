"""OpenAI's chat requests: JSON bytes of `/v1/chat/completions` to a typed call. Replies are in `openai_reply.py`.

Where OpenAI's API and Ollama's edition of it differ, Ollama's texts and defaults hold; `max_completion_tokens`, which
Ollama ignores, is honoured.
Source: Ollama `openai/openai.go`, `middleware/openai.go`.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from services.gateway.dialects.schemas import json_schema_text
from shared.errors import ParameterInvalid
from shared.generation import ANY_JSON_OBJECT, Message, Sampling
from shared.go_json import GoFields, decode_object

TOP_LOGPROBS_MAX: Final = 20
BIAS_MAX: Final = 100
_EFFORTS: Final = ("minimal", "low", "medium", "high", "xhigh", "ultra", "max", "none")
_GO_TYPES: Final = {bool: "bool", int: "float64", float: "float64", dict: "map[string]interface {}"}


class OpenAiCall(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool
    choices_count: int
    options: dict[str, object]
    sampling: Sampling
    asked: Asked


def parse_chat(body: bytes) -> OpenAiCall:
    """Raises: ParameterInvalid."""
    if not body.strip():
        raise ParameterInvalid("EOF")
    fields = GoFields("ChatCompletionRequest", decode_object(body, go_type="openai.ChatCompletionRequest"))
    raw_messages = fields.objects("messages", "openai.Message") or []
    if not raw_messages:
        raise ParameterInvalid("[] is too short - 'messages'")
    messages = [GoFields("Message", message) for message in raw_messages]
    stream_options = GoFields("StreamOptions", fields.mapping("stream_options", "openai.StreamOptions") or {})
    return OpenAiCall(
        model=fields.text("model"),
        messages=tuple(plain for message in messages for plain in _plain_messages(message)),
        stream=fields.flag("stream") or False,
        include_usage=stream_options.flag("include_usage") or False,
        choices_count=choices_count(fields),
        options=_options(fields),
        sampling=_sampling(fields),
        asked=Asked(
            tools=bool(fields.items("tools", "[]api.Tool")) or any(_is_of_tools(message) for message in messages),
            thinking=_thinks(fields),
            images=any(_has_part(message, "image_url") for message in messages),
            unserved=_unserved(fields, messages),
        ),
    )


def _plain_messages(message: GoFields) -> list[Message]:
    """The texts of one message; each part of a list is a message of its own, as Ollama has it."""
    role = message.text("role")
    match message.anything("content"):
        case str() as content:
            return [Message(role, content)]
        case list() as parts:
            return [Message(role, text) for part in parts if (text := _text_of(part)) is not None]
        case None:
            if message.items("tool_calls", "[]openai.ToolCall"):
                return [Message(role, "")]
            raise ParameterInvalid("invalid message content type: <nil>")
        case other:
            raise ParameterInvalid(f"invalid message content type: {_GO_TYPES[type(other)]}")


def _text_of(part: object) -> str | None:
    """The text of a text part; None for pictures and sound, which are refused where the model is known."""
    match part:
        case {"type": "text", "text": str() as text}:
            return text
        case {"type": "image_url" | "input_audio"}:
            return None
    raise ParameterInvalid("invalid message format")


def _has_part(message: GoFields, kind: str) -> bool:
    match message.anything("content"):
        case list() as parts:
            return any(isinstance(part, Mapping) and part.get("type") == kind for part in parts)
    return False


def _is_of_tools(message: GoFields) -> bool:
    return bool(message.items("tool_calls", "[]openai.ToolCall")) or message.text("role") == "tool"


def choices_count(fields: GoFields) -> int:
    """How many answers a prompt is to have."""
    count = fields.integer("n")
    return 1 if count is None else count


def _options(fields: GoFields) -> dict[str, object]:
    """Absent `temperature` and `top_p` are 1, whatever the model says: that is what OpenAI's clients expect."""
    completion_tokens = fields.integer("max_completion_tokens")
    values: dict[str, object] = {
        "num_predict": fields.integer("max_tokens") if completion_tokens is None else completion_tokens,
        "temperature": _or_one(fields.real("temperature")),
        "top_p": _or_one(fields.real("top_p")),
        "seed": fields.integer("seed"),
        "frequency_penalty": fields.real("frequency_penalty"),
        "presence_penalty": fields.real("presence_penalty"),
        "stop": stop_texts(fields.anything("stop")),
    }
    return {name: value for name, value in values.items() if value is not None}


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value


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


def _thinks(fields: GoFields) -> bool:
    """Raises: ParameterInvalid for an effort that does not exist."""
    reasoning = GoFields("Reasoning", fields.mapping("reasoning", "openai.Reasoning") or {})
    effort = reasoning.text("effort") or fields.text("reasoning_effort")
    if effort and effort not in _EFFORTS:
        *most, last = [f'"{name}"' for name in _EFFORTS]
        raise ParameterInvalid(f'invalid reasoning value: "{effort}" (must be {", ".join(most)}, or {last})')
    return bool(effort) and effort != "none"


def _sampling(fields: GoFields) -> Sampling:
    """Raises: ParameterInvalid."""
    return Sampling(
        json_schema=_json_schema(fields), logit_bias=_logit_bias(fields), top_logprobs=_top_logprobs(fields)
    )


def _top_logprobs(fields: GoFields) -> int | None:
    """How many alternatives are told beside each token; None when log-probabilities were not asked for."""
    count = fields.integer("top_logprobs") or 0
    if not 0 <= count <= TOP_LOGPROBS_MAX:
        raise ParameterInvalid(f"top_logprobs must be between 0 and {TOP_LOGPROBS_MAX}")
    if fields.flag("logprobs"):
        return count
    if count:
        raise ParameterInvalid("top_logprobs needs logprobs to be true")
    return None


def _logit_bias(fields: GoFields) -> dict[int, float]:
    """Token ids, which are the keys, to what is added to their logits."""
    bias: dict[int, float] = {}
    for key, value in (fields.mapping("logit_bias") or {}).items():
        if not key.isdecimal() or not key.isascii():
            raise ParameterInvalid(f'invalid logit_bias: "{key}" is not a token id')
        if isinstance(value, bool) or not isinstance(value, int | float) or not -BIAS_MAX <= value <= BIAS_MAX:
            raise ParameterInvalid(f"invalid logit_bias: values must be numbers from {-BIAS_MAX} to {BIAS_MAX}")
        bias[int(key)] = float(value)
    return bias


def _json_schema(fields: GoFields) -> str | None:
    """What `response_format` demands of the output; it is kept to whether or not `strict` is said.

    Raises: ParameterInvalid for a format that does not exist or has no schema.
    """
    asked = GoFields("ResponseFormat", fields.mapping("response_format", "openai.ResponseFormat") or {})
    match asked.text("type"):
        case "" | "text":
            return None
        case "json_object":
            return ANY_JSON_OBJECT
        case "json_schema":
            given = GoFields("JsonSchema", asked.mapping("json_schema", "openai.JsonSchema") or {})
            schema = given.mapping("schema")
            if schema is None:
                raise ParameterInvalid("response_format.json_schema.schema is required")
            return json_schema_text(schema)
    raise ParameterInvalid(
        f'invalid response_format type: "{asked.text("type")}" (must be "text", "json_object" or "json_schema")'
    )


def _unserved(fields: GoFields, messages: list[GoFields]) -> tuple[str, ...]:
    """Fields that ask for what this server cannot do yet."""
    asks = {
        "functions": bool(fields.items("functions")),
        "input_audio": any(_has_part(message, "input_audio") for message in messages),
    }
    return tuple(name for name, is_asked in asks.items() if is_asked)
