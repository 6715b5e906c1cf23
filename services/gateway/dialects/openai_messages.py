"""The messages of OpenAI's chat requests, as a model's template sees them. Pure.

A `developer` speaks where templates know a `system`, and a `function` is what a tool was called at first. The `name` of
a person does nothing: templates have no place for it.
Source: OpenAI's API reference; Ollama `openai/openai.go` (FromChatRequest).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.gateway.dialects.openai_content import Content, read_content
from services.gateway.dialects.openai_tools import arguments_text, earlier_call
from shared.generation import Message, ToolCall
from shared.go_json import GoFields

_ROLES: Final = {"developer": "system", "function": "tool"}


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The messages, and what a model has to know to make sense of them."""

    messages: tuple[Message, ...]
    has_tools: bool
    has_images: bool
    has_sound: bool


def read_messages(raw: Sequence[Mapping[str, object]]) -> History:
    """Raises: ParameterInvalid."""
    messages: list[Message] = []
    contents: list[Content] = []
    tool_names: dict[str, str] = {}  # by the newest call's id
    for one in raw:
        fields = GoFields("Message", one)
        calls = _calls(fields)
        tool_names |= {call.call_id: call.name for call in calls if call.call_id}
        contents.append(_content(fields, has_calls=bool(calls)))
        messages.append(_message(fields, contents[-1], calls, tool_names))
    return History(
        messages=tuple(messages),
        has_tools=any(message.role == "tool" or message.tool_calls for message in messages),
        has_images=any(content.has_images for content in contents),
        has_sound=any(content.has_sound for content in contents),
    )


def _message(fields: GoFields, content: Content, calls: tuple[ToolCall, ...], tool_names: Mapping[str, str]) -> Message:
    role = fields.text("role")
    role = _ROLES.get(role, role)
    call_id = fields.text("tool_call_id") if role == "tool" else ""
    return Message(
        role,
        content.text,
        thinking=fields.text("reasoning") or fields.text("reasoning_content"),
        tool_calls=calls,
        tool_name=(fields.text("name") or tool_names.get(call_id, "")) if role == "tool" else "",
        tool_call_id=call_id,
        images=content.files,
    )


def _calls(fields: GoFields) -> tuple[ToolCall, ...]:
    """The calls that a message makes, the one of the older `function_call` included."""
    calls = tuple(earlier_call(call) for call in fields.objects("tool_calls", "openai.ToolCall") or [])
    older = fields.mapping("function_call", "openai.FunctionCall")
    if older is None:
        return calls
    function = GoFields("FunctionCall", older)
    return (*calls, ToolCall(function.text("name"), arguments_text(function.text("arguments"))))


def _content(fields: GoFields, *, has_calls: bool) -> Content:
    """What is said; who calls tools or refuses to answer need not say more."""
    refused = fields.text("refusal")
    if fields.anything("content") is None and (has_calls or refused):
        return Content(text=refused)
    return read_content(fields.anything("content"))
