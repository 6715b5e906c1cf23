"""Calls whose name stands before the JSON of their arguments, with a mark between. Pure.

[TOOL_CALLS]f[ARGS]{"a": 1}                                                            Mistral, Ministral
[TOOL_CALLS][{"name": "f", "arguments": {"a": 1}}]                                     Mistral, older
<｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜>                          DeepSeek V3.1
<｜tool▁call▁begin｜>function<｜tool▁sep｜>f⏎```json⏎{"a": 1}⏎```<｜tool▁call▁end｜>     DeepSeek R1, V3, Cogito
"""

from typing import Final

from services.worker.output.json_calls import read_json_calls
from services.worker.output.json_text import object_text
from services.worker.output.tools import Tools, Unreadable
from shared.generation import ToolCall

ARGS: Final = "[ARGS]"
CALL_ID: Final = "[CALL_ID]"
SEPARATOR: Final = "<｜tool▁sep｜>"
_FENCE: Final = "```"


def read_mistral_calls(body: str, tools: Tools) -> list[ToolCall]:
    """A call of a tool that was not offered is an error, as in Ollama. Raises: Unreadable, msgspec.DecodeError,
    RecursionError.
    """
    head, mark, arguments = body.partition(ARGS)
    if not mark:
        return read_json_calls(body, tools)
    name = head.partition(CALL_ID)[0].strip()
    if name not in tools.names:
        raise Unreadable(f"tool '{name}' not found")
    return [ToolCall(name, object_text(arguments))]


def read_deepseek_calls(body: str, tools: Tools) -> list[ToolCall]:  # noqa: ARG001 — a Reader
    """Raises: Unreadable, msgspec.DecodeError, RecursionError."""
    name, mark, arguments = body.partition(SEPARATOR)
    if mark and _FENCE in arguments and not arguments.lstrip().startswith("{"):
        name, _, fenced = arguments.partition(_FENCE)
        arguments = fenced.partition("\n")[2].rstrip().removesuffix(_FENCE)
    if not mark or not name.strip():
        raise Unreadable("the call names no tool")
    return [ToolCall(name.strip(), object_text(arguments))]
