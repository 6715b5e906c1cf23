"""Anthropic's requests: JSON bytes of `/v1/messages` and its `count_tokens` to a typed call. What messages hold is read
in `anthropic_blocks.py`, tools in `anthropic_tools.py`, thinking in `anthropic_thinking.py`; replies are in
`anthropic_reply.py`.

What is accepted and does nothing: `metadata` and `user_profile_id` (notes about the caller's own users),
`service_tier` (there is one tier), `cache_control` (equal beginnings are computed once whether marked or not) and a
`context_management` that keeps everything, which is all that happens here.

A conversation that ends with an assistant's message asks for that message to be continued (prefill). Whether a model
can do so depends on its template, which is not known here, and one that cannot would begin a message of its own: so
it is refused, as Anthropic's later models do.
Source: Anthropic's Messages API reference; Ollama `anthropic/anthropic.go` for texts and the order of checks.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from services.gateway.conversation import Conversation, check_messages_count
from services.gateway.dialects.anthropic_blocks import read_messages, read_system
from services.gateway.dialects.anthropic_thinking import thinking_wish
from services.gateway.dialects.anthropic_tools import tool_use
from services.gateway.dialects.schemas import json_schema_text
from shared.errors import ParameterInvalid
from shared.generation import Message, Sampling
from shared.go_json import GoFields, decode_object

_UNSERVED_FIELDS: Final = ("container", "diagnostics", "inference_geo", "mcp_servers")
_KEEP_ALL: Final = ("all", {"type": "all"})


class AnthropicCall(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation, its system message in front. Where not `shows_thinking`, thoughts are not told."""

    model: str
    conversation: Conversation
    stream: bool
    stop_sequences: tuple[str, ...]
    options: dict[str, object]
    sampling: Sampling
    shows_thinking: bool
    asked: Asked


def parse_messages(body: bytes) -> AnthropicCall:
    """Raises: ParameterInvalid."""
    fields = _fields(body)
    max_tokens = fields.integer("max_tokens")
    if max_tokens is None or max_tokens < 1:
        raise ParameterInvalid("max_tokens is required and must be positive")
    call = _call(fields)
    if call.conversation.messages[-1].role == "assistant":
        raise ParameterInvalid(
            "this server does not continue an assistant's message (prefill): the conversation must end with a user's"
        )
    stops = tuple(fields.texts("stop_sequences") or ())
    options: dict[str, object] = {
        "num_predict": max_tokens,
        "temperature": fields.real("temperature"),
        "top_p": fields.real("top_p"),
        "top_k": fields.integer("top_k"),
        "stop": stops or None,
    }
    return msgspec.structs.replace(
        call,
        stream=fields.flag("stream") or False,
        stop_sequences=stops,
        options={name: value for name, value in options.items() if value is not None},
    )


def parse_count(body: bytes) -> AnthropicCall:
    """The same without what only matters to a generation.

    Raises: ParameterInvalid.
    """
    return _call(_fields(body))


def _fields(body: bytes) -> GoFields:
    fields = GoFields("MessagesRequest", decode_object(body, go_type="anthropic.MessagesRequest"))
    if not fields.text("model"):
        raise ParameterInvalid("model is required")
    return fields


def _call(fields: GoFields) -> AnthropicCall:
    """What a message and a count of its tokens have in common."""
    messages = _messages(fields)
    used = tool_use(fields)
    output = GoFields("OutputConfig", fields.mapping("output_config", "anthropic.OutputConfig") or {})
    wish = thinking_wish(fields, output)
    has_tools = bool(used.tools) or any(message.tool_calls or message.role == "tool" for message in messages)
    return AnthropicCall(
        model=fields.text("model"),
        conversation=Conversation(
            messages=messages,
            tools=used.tools,
            forced_tools=used.forced_tools,
            one_tool_call=used.one_tool_call,
            think=wish.think,
        ),
        stream=False,
        stop_sequences=(),
        options={},
        sampling=Sampling(json_schema=_json_schema(fields, output)),
        shows_thinking=wish.is_shown,
        asked=Asked(tools=has_tools, images=any(message.images for message in messages), unserved=_unserved(fields)),
    )


def _messages(fields: GoFields) -> tuple[Message, ...]:
    raw = fields.objects("messages", "anthropic.MessageParam")
    if not raw:
        raise ParameterInvalid("messages is required")
    check_messages_count(len(raw))
    system, said = read_system(fields.anything("system")), read_messages(raw)
    return (Message("system", system), *said) if system else said


def _json_schema(fields: GoFields, output: GoFields) -> str | None:
    """What the answer's text must be; `output_format` is the older name of `output_config.format`."""
    given = output.mapping("format", "anthropic.OutputFormat") or fields.mapping("output_format", "anthropic.Format")
    if given is None:
        return None
    asked = GoFields("OutputFormat", given)
    if asked.text("type") != "json_schema":
        raise ParameterInvalid("output_config.format.type must be json_schema")
    schema = asked.mapping("schema")
    if schema is None:
        raise ParameterInvalid("output_config.format.schema is required")
    return json_schema_text(schema)


def _unserved(fields: GoFields) -> tuple[str, ...]:
    """Fields that ask for what this server cannot do."""
    management = fields.mapping("context_management", "anthropic.ContextManagement") or {}
    edits = GoFields("ContextManagement", management).objects("edits", "anthropic.Edit") or []
    asks = {
        **{name: bool(fields.anything(name)) for name in _UNSERVED_FIELDS},
        "context_management": not all(_keeps_all(edit) for edit in edits),
        "speed": fields.text("speed") not in ("", "standard"),
    }
    return tuple(name for name, is_asked in asks.items() if is_asked)


def _keeps_all(edit: Mapping[str, object]) -> bool:
    return str(edit.get("type")).startswith("clear_thinking_") and edit.get("keep") in _KEEP_ALL
