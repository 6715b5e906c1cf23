"""Tools in Anthropic's requests: what they are, which may or must be called, and the ids of calls. Pure.

Only a client's own tools are served (`type` absent or `custom`): those that Anthropic runs itself, and those whose
schema only Anthropic's models know (bash, text editor, computer, memory), are refused by name.

What is accepted and does nothing: `strict` (a call that must be made always keeps to its schema, one that may be made
is as the model writes it), `eager_input_streaming` (a call's input comes in one piece, which a stream allows anyway)
and `cache_control`.
Source: Anthropic's Messages API reference (tool use).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway.dialects.schemas import json_text
from shared.errors import ParameterInvalid
from shared.generation import ToolCall
from shared.go_json import GoFields

ID_PREFIX: Final = "toolu_"
_CHOICES: Final = ("auto", "any", "tool", "none")


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of tools; the fields are those of `Conversation`."""

    tools: tuple[dict[str, object], ...] = ()
    forced_tools: tuple[str, ...] = ()
    one_tool_call: bool = False


def tool_use(fields: GoFields) -> ToolUse:
    """The tools of a request and its choice among them; with the choice `none` the model does not even see them.

    Raises: ParameterInvalid for tools that cannot be served, and for a choice of what is not there.
    """
    given = fields.objects("tools", "anthropic.Tool") or []
    tools = tuple(_definition(GoFields("Tool", tool), f"tools.{index}") for index, tool in enumerate(given))
    names = [GoFields("Tool", tool).text("name") for tool in given]
    if len(set(names)) < len(names):
        raise ParameterInvalid("tools: tool names must be unique")
    asked = fields.mapping("tool_choice", "anthropic.ToolChoice")
    return ToolUse(tools=tools) if asked is None else _chosen(GoFields("ToolChoice", asked), tools, names)


def tool_use_id(call: ToolCall, *, request_id: str, index: int) -> str:
    """How Anthropic's clients know the call, which is its answer's `index`-th."""
    return ID_PREFIX + (call.call_id or f"{request_id}_{index}")


def call_id_of(tool_use_id: str) -> str:
    """How the model knows a call that a client names."""
    return tool_use_id.removeprefix(ID_PREFIX)


def _definition(tool: GoFields, place: str) -> dict[str, object]:
    """A tool as Ollama's API writes them; the schema of its input keeps its order."""
    kind, name = tool.text("type") or "custom", tool.text("name")
    if kind != "custom":
        raise ParameterInvalid(f"{place}: this server does not have tools of the type {kind}; describe it as your own")
    if not name:
        raise ParameterInvalid(f"{place}.name is required")
    if tool.flag("defer_loading"):
        raise ParameterInvalid(f"{place}.defer_loading: this server cannot search for tools")
    callers = tool.texts("allowed_callers")
    if callers is not None and "direct" not in callers:
        raise ParameterInvalid(f"{place}.allowed_callers: this server runs no code that could call it")
    described = _description(tool)
    return {
        "type": "function",
        "function": {
            "name": name,
            **({"description": described} if described else {}),
            "parameters": tool.mapping("input_schema") or {"type": "object", "properties": {}},
        },
    }


def _description(tool: GoFields) -> str:
    """What the tool does, and the examples of its input below."""
    examples = tool.objects("input_examples", "anthropic.InputExample") or []
    lines = ["Examples of its input:", *(json_text(one, what="an example") for one in examples)] if examples else []
    return "\n".join(filter(None, (tool.text("description"), *lines)))


def _chosen(choice: GoFields, tools: tuple[dict[str, object], ...], names: Sequence[str]) -> ToolUse:
    kind = choice.text("type")
    if kind not in _CHOICES:
        raise ParameterInvalid(f"tool_choice.type must be one of {', '.join(_CHOICES)}")
    if kind == "none":
        return ToolUse()
    if not tools:
        raise ParameterInvalid("tool_choice needs tools to choose from")
    forced: tuple[str, ...] = ()
    if kind == "any":
        forced = tuple(names)
    elif kind == "tool":
        forced = (choice.text("name"),)
        if forced[0] not in names:
            raise ParameterInvalid(f'tool_choice names "{forced[0]}", which is not among the tools')
    return ToolUse(tools=tools, forced_tools=forced, one_tool_call=choice.flag("disable_parallel_tool_use") or False)
