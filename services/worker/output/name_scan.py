"""Calls in no format that is known: some tool's name, and the first JSON object near it. Pure.

Source: Ollama `tools/tools.go`, for templates that say no more than what stands before a call.
"""

import re
from typing import Final

import msgspec

from services.worker.output.json_calls import arguments_in, name_in
from services.worker.output.json_text import members, object_text
from services.worker.output.tools import Tools, Unreadable
from shared.generation import ToolCall

_BRACKET: Final = re.compile(r"[\[{]")


def scan_for_calls(body: str, tools: Tools) -> list[ToolCall]:
    """The calls in a text that ends with a JSON object, or with a list of them.

    Raises: Unreadable without a known name, msgspec.DecodeError, RecursionError.
    """
    bracket = _BRACKET.search(body)
    if bracket is None:
        raise Unreadable("no JSON")
    before, value = body[: bracket.start()], body[bracket.start() :]
    if value[0] == "{":
        return [_call(before, value, members(value), tools)]
    items = msgspec.json.decode(value, type=list[msgspec.Raw])
    return [_call(before, bytes(item).decode(), members(item), tools) for item in items]


def _call(before: str, text: str, call: dict[str, msgspec.Raw], tools: Tools) -> ToolCall:
    name = name_in(call)
    if name not in tools.names:
        name = _first_name(before, tools) or _first_name(text, tools)
    if not name:
        raise Unreadable("no tool is named")
    arguments = arguments_in(call)
    if arguments is None:
        arguments = call.get(name)
    return ToolCall(name, object_text(text if arguments is None else arguments))


def _first_name(text: str, tools: Tools) -> str:
    """The tool named first, the longest of those that are; empty without one."""
    names = "|".join(re.escape(name) for name in sorted(tools.names, key=len, reverse=True))
    found = re.search(rf"(?<!\w)({names})(?!\w)", text) if names else None
    return found[1] if found is not None else ""
