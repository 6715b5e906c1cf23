"""Anthropic's requests: JSON bytes of `/v1/messages` and its `count_tokens` to a typed call. Replies are in
`anthropic_reply.py`.

What is accepted and does nothing: `metadata` (a note about the caller's own users), `service_tier` (there is one tier)
and `cache_control` (equal beginnings are computed once whether marked or not).
Source: Anthropic's Messages API reference; Ollama `anthropic/anthropic.go` for texts and the order of checks.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from shared.errors import ParameterInvalid
from shared.generation import Message
from shared.go_json import GoFields, decode_object

_ROLES: Final = ("user", "assistant", "system")
_TOOL_BLOCKS: Final = ("tool_use", "tool_result", "server_tool_use", "web_search_tool_result", "mcp_tool_use")
_THINKING_BLOCKS: Final = ("thinking", "redacted_thinking")
_THINKING_TYPES: Final = ("enabled", "disabled", "adaptive")
_UNSERVED_BLOCKS: Final = ("document", "search_result", "container_upload")
_UNSERVED_FIELDS: Final = ("container", "context_management", "mcp_servers", "output_config", "output_format")


class AnthropicCall(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation, its system message in front."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    stop_sequences: tuple[str, ...]
    options: dict[str, object]
    asked: Asked


def parse_messages(body: bytes) -> AnthropicCall:
    """Raises: ParameterInvalid."""
    fields = _fields(body)
    if not fields.text("model"):
        raise ParameterInvalid("model is required")
    max_tokens = fields.integer("max_tokens")
    if max_tokens is None or max_tokens < 1:
        raise ParameterInvalid("max_tokens is required and must be positive")
    stops = tuple(fields.texts("stop_sequences") or ())
    options: dict[str, object] = {
        "num_predict": max_tokens,
        "temperature": fields.real("temperature"),
        "top_p": fields.real("top_p"),
        "top_k": fields.integer("top_k"),
        "stop": stops or None,
    }
    return AnthropicCall(
        model=fields.text("model"),
        messages=_conversation(fields),
        stream=fields.flag("stream") or False,
        stop_sequences=stops,
        options={name: value for name, value in options.items() if value is not None},
        asked=_asked(fields),
    )


def parse_count(body: bytes) -> AnthropicCall:
    """The same without what only matters to a generation.

    Raises: ParameterInvalid.
    """
    fields = _fields(body)
    if not fields.text("model"):
        raise ParameterInvalid("model is required")
    return AnthropicCall(
        model=fields.text("model"),
        messages=_conversation(fields),
        stream=False,
        stop_sequences=(),
        options={},
        asked=_asked(fields),
    )


def _fields(body: bytes) -> GoFields:
    return GoFields("MessagesRequest", decode_object(body, go_type="anthropic.MessagesRequest"))


def _conversation(fields: GoFields) -> tuple[Message, ...]:
    raw = fields.objects("messages", "anthropic.MessageParam")
    if not raw:
        raise ParameterInvalid("messages is required")
    system = _text(fields.anything("system"), "system")
    said = tuple(_message(GoFields("MessageParam", one), f"messages.{index}") for index, one in enumerate(raw))
    return (Message("system", system), *said) if system else said


def _message(fields: GoFields, place: str) -> Message:
    role = fields.text("role")
    if role not in _ROLES:
        raise ParameterInvalid(f"{place}.role must be user or assistant")
    return Message(role, _text(fields.anything("content"), f"{place}.content"))


def _text(content: object, place: str) -> str:
    """A string, or the texts of a list of blocks one after the other. Blocks of known other kinds have none; they
    are refused where the model is known.

    Raises: ParameterInvalid.
    """
    match content:
        case None if place == "system":
            return ""
        case str():
            return content
        case list():
            return "".join(_text_of_block(block, f"{place}.{index}") for index, block in enumerate(content))
    raise ParameterInvalid(f"{place} must be a string or a list of content blocks")


def _text_of_block(block: object, place: str) -> str:
    match block:
        case {"type": "text", "text": str() as text}:
            return text
        case {"type": str() as kind} if kind in (*_TOOL_BLOCKS, *_THINKING_BLOCKS, *_UNSERVED_BLOCKS, "image"):
            return ""
        case {"type": str() as kind} if kind != "text":
            raise ParameterInvalid(f"{place}.type is unknown: {kind}")
    raise ParameterInvalid(f"{place} must be a content block with a type, a text block with its text")


def _asked(fields: GoFields) -> Asked:
    kinds = set(_block_kinds(fields))
    tools = fields.items("tools", "[]anthropic.Tool") or []
    if fields.anything("tool_choice") is not None and not tools:
        raise ParameterInvalid("tool_choice needs tools to choose from")
    unserved = [name for name in _UNSERVED_FIELDS if fields.anything(name)]
    return Asked(
        tools=bool(tools) or not kinds.isdisjoint(_TOOL_BLOCKS),
        thinking=_thinks(fields) or not kinds.isdisjoint(_THINKING_BLOCKS),
        images="image" in kinds,
        unserved=(*unserved, *(f"{kind} blocks" for kind in _UNSERVED_BLOCKS if kind in kinds)),
    )


def _block_kinds(fields: GoFields) -> list[object]:
    contents = [one.get("content") for one in fields.objects("messages", "anthropic.MessageParam") or []]
    return [
        block.get("type")
        for content in (*contents, fields.anything("system"))
        if isinstance(content, list)
        for block in content
        if isinstance(block, Mapping)
    ]


def _thinks(fields: GoFields) -> bool:
    """Whether thinking must happen; `adaptive` leaves it to the model, which may well not think.

    Raises: ParameterInvalid for a type that does not exist.
    """
    thinking = fields.mapping("thinking", "anthropic.ThinkingConfig")
    if thinking is None:
        return False
    kind = GoFields("ThinkingConfig", thinking).text("type")
    if kind not in _THINKING_TYPES:
        raise ParameterInvalid(f"thinking.type must be one of {', '.join(_THINKING_TYPES)}")
    return kind == "enabled"
