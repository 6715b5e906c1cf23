"""What Anthropic's routes answer."""

from typing import Literal

import msgspec

from services.gateway.openapi.bodies.fields import JsonObject
from services.gateway.openapi.replies.losses import Losses


class AnthropicProblem(msgspec.Struct, kw_only=True):
    type: str
    message: str


class AnthropicError(msgspec.Struct, kw_only=True):
    type: Literal["error"]
    error: AnthropicProblem
    request_id: str


class AnthropicReplyText(msgspec.Struct, kw_only=True, tag_field="type", tag="text"):
    text: str


class AnthropicReplyThinking(msgspec.Struct, kw_only=True, tag_field="type", tag="thinking"):
    thinking: str
    signature: str = ""


class AnthropicReplyToolUse(msgspec.Struct, kw_only=True, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: JsonObject


class AnthropicUsage(msgspec.Struct, kw_only=True):
    """`input_tokens` are those that were not found computed already."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int


class AnthropicMessage(Losses, kw_only=True):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[AnthropicReplyText | AnthropicReplyThinking | AnthropicReplyToolUse]
    stop_reason: str | None
    stop_sequence: str | None
    usage: AnthropicUsage


class AnthropicEvent(msgspec.Struct, kw_only=True):
    """The `data` of one event; `type` is its name as well."""

    type: Literal[
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
    ]


class AnthropicCountReply(msgspec.Struct, kw_only=True):
    input_tokens: int
