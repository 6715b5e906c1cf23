"""Calls as JSON: `{"name": …, "arguments": {…}}`, or a list of such objects. Pure."""

from typing import Final

import msgspec

from services.worker.output.json_text import members, object_text
from services.worker.output.tools import Tools, Unreadable
from shared.generation import ToolCall

_NAMES: Final = ("name", "tool_name")
_ARGUMENTS: Final = ("arguments", "parameters", "args")


def read_json_calls(body: str, tools: Tools) -> list[ToolCall]:  # noqa: ARG001 — a Reader
    """Raises: msgspec.DecodeError, Unreadable, RecursionError."""
    if not body.lstrip().startswith("["):
        return [_call(members(body))]
    return [_call(members(item)) for item in msgspec.json.decode(body, type=list[msgspec.Raw])]


def read_call_or_nothing(body: str, tools: Tools) -> list[ToolCall]:
    """A call that has a name and arguments and no more; any other object is an answer.

    Raises: msgspec.DecodeError, Unreadable, RecursionError.
    """
    call = members(body)
    if call.keys() != {"name", "arguments"} or name_in(call) not in tools.names:
        raise Unreadable("no call")
    return [_call(call)]


def arguments_in(call: dict[str, msgspec.Raw]) -> msgspec.Raw | None:
    """The member that holds the arguments."""
    return next((call[key] for key in _ARGUMENTS if key in call), None)


def name_in(call: dict[str, msgspec.Raw]) -> str:
    """The name in a call, empty if it has none. Raises: msgspec.DecodeError."""
    name = next((msgspec.json.decode(call[key]) for key in _NAMES if key in call), "")
    return name if isinstance(name, str) else ""


def _call(call: dict[str, msgspec.Raw]) -> ToolCall:
    if (inner := call.get("function")) is not None and not name_in(call):
        # As OpenAI's API writes a call: `{"type": "function", "function": {"name", "arguments"}}`.
        call = members(inner)
    name, arguments = name_in(call), arguments_in(call)
    if not name:
        raise Unreadable("the call names no tool")
    return ToolCall(name, "{}" if arguments is None else object_text(arguments))
