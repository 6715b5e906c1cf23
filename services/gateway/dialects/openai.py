"""OpenAI's chat requests: JSON bytes of `/v1/chat/completions` to a typed call. Replies are in `openai_reply.py`.

Where OpenAI's API and Ollama's edition of it differ, Ollama's texts and defaults hold; `max_completion_tokens`, which
Ollama ignores, is honoured.
Source: Ollama `openai/openai.go`, `middleware/openai.go`.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from shared.errors import ParameterInvalid
from shared.generation import Message
from shared.go_json import GoFields, decode_object

_EFFORTS: Final = ("minimal", "low", "medium", "high", "xhigh", "ultra", "max", "none")
_GO_TYPES: Final = {bool: "bool", int: "float64", float: "float64", dict: "map[string]interface {}"}


class OpenAiCall(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool
    options: dict[str, object]
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
        options=_options(fields),
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
        "stop": _stop(fields.anything("stop")),
    }
    return {name: value for name, value in values.items() if value is not None}


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value


def _stop(value: object) -> list[str] | None:
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


def _unserved(fields: GoFields, messages: list[GoFields]) -> tuple[str, ...]:
    """Fields that ask for what this server cannot do yet."""
    response_format = fields.mapping("response_format", "openai.ResponseFormat") or {}
    asks = {
        "response_format": response_format.get("type", "text") != "text",
        "n": (fields.integer("n") or 1) > 1,
        "logprobs": bool(fields.flag("logprobs")),
        "top_logprobs": bool(fields.integer("top_logprobs")),
        "logit_bias": bool(fields.mapping("logit_bias")),
        "functions": bool(fields.items("functions")),
        "input_audio": any(_has_part(message, "input_audio") for message in messages),
    }
    return tuple(name for name, is_asked in asks.items() if is_asked)
