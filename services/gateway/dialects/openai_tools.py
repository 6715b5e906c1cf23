"""Tools in OpenAI's requests: what they are, which may or must be called, and the calls of earlier turns. Pure.

Chat and responses write the same things, chat one level deeper (`{"type": "function", "function": {...}}`), so what
reads a function or the name of one takes it in both forms.
Source: OpenAI's API reference; Ollama `openai/openai.go` (FromCompletionToolCall) for texts.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from shared.errors import ParameterInvalid
from shared.generation import ToolCall
from shared.go_json import GoFields

Tools = tuple[dict[str, object], ...]
_NO_CHOICE: Final = (
    'invalid tool_choice (must be "none", "auto", "required", a function, or a list of allowed functions)'
)


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of tools; the fields are those of `Conversation`."""

    tools: Tools = ()
    forced_tools: tuple[str, ...] = ()
    one_tool_call: bool = False


def tool_use(tools: Tools, choice: object, *, one_tool_call: bool = False) -> ToolUse:
    """What `choice`, a request's `tool_choice`, makes of its tools.

    With `none` the model does not even see them; where only some are allowed it sees these.
    Raises: ParameterInvalid for what is no choice, or chooses what is not there.
    """
    shown = tools
    forced: tuple[str, ...] = ()
    match choice:
        case None | "" | "auto":
            pass
        case "none":
            shown = ()
        case "required":
            forced = _known(_names(tools), tools)
        case dict():
            shown, forced = _chosen(shown, choice)
        case _:
            raise ParameterInvalid(_NO_CHOICE)
    return ToolUse(tools=shown, forced_tools=forced, one_tool_call=one_tool_call)


def tool_definition(function: Mapping[str, object]) -> dict[str, object]:
    """A function as Ollama's API writes tools; the schema of its parameters keeps its order.

    Raises: ParameterInvalid.
    """
    fields = GoFields("ToolFunction", function)
    name = fields.text("name")
    if not name:
        raise ParameterInvalid("a tool needs a name")
    description = fields.text("description")
    return {
        "type": "function",
        "function": {
            "name": name,
            **({"description": description} if description else {}),
            "parameters": fields.mapping("parameters") or {"type": "object", "properties": {}},
        },
    }


def tool_definitions(tools: Sequence[Mapping[str, object]]) -> Tools:
    """Every tool of a request.

    Raises: ParameterInvalid, also for tools that are no functions: those are run by OpenAI, or bound by a grammar.
    """
    return tuple(_definition(tool) for tool in tools)


def _definition(tool: Mapping[str, object]) -> dict[str, object]:
    fields = GoFields("Tool", tool)
    kind = fields.text("type") or "function"
    if kind != "function":
        raise ParameterInvalid(f'invalid tool type: "{kind}" (only "function" is supported)')
    return tool_definition(fields.mapping("function", "api.ToolFunction") or tool)


def earlier_call(call: Mapping[str, object]) -> ToolCall:
    """A call that the model made in an earlier turn.

    Raises: ParameterInvalid when its arguments are not the text of a JSON object.
    """
    fields = GoFields("ToolCall", call)
    function = GoFields("ToolCall", fields.mapping("function", "openai.ToolCallFunction") or {})
    return ToolCall(
        function.text("name"), arguments_text(function.text("arguments")), fields.text("id") or fields.text("call_id")
    )


def arguments_text(arguments: str) -> str:
    """The arguments of a call as they are, once they are known to be a JSON object; no text at all is an empty one.

    Raises: ParameterInvalid.
    """
    if not arguments.strip():
        return "{}"
    try:
        msgspec.json.decode(arguments, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError) as cause:
        raise ParameterInvalid("invalid tool call arguments") from cause
    return arguments


def _chosen(tools: Tools, choice: Mapping[str, object]) -> tuple[Tools, tuple[str, ...]]:
    """The tools that are shown, and the names of those that are forced, where the choice is no mere word."""
    match choice.get("type"):
        case "function":
            return tools, _known((_function_name(choice),), tools)
        case "allowed_tools":
            nested = choice.get("allowed_tools")
            fields = GoFields("AllowedTools", nested if isinstance(nested, dict) else choice)
            allowed = _known([_function_name(one) for one in fields.objects("tools", "api.Tool") or []], tools)
            names = frozenset(allowed)
            shown = tuple(tool for tool in tools if _function_name(tool) in names)
            return shown, allowed if _is_required(fields.text("mode")) else ()
    raise ParameterInvalid(_NO_CHOICE)


def _is_required(mode: str) -> bool:
    if mode not in ("auto", "required"):
        raise ParameterInvalid(f'invalid tool_choice mode: "{mode}" (must be "auto" or "required")')
    return mode == "required"


def _known(names: Sequence[str], tools: Tools) -> tuple[str, ...]:
    """The names, each once.

    Raises: ParameterInvalid when there are none, or no tool has one of them.
    """
    if not names:
        raise ParameterInvalid("tool_choice needs tools to choose from")
    known = set(_names(tools))
    for name in names:
        if name not in known:
            raise ParameterInvalid(f'tool_choice names "{name}", which is not among the tools')
    return tuple(dict.fromkeys(names))


def _names(tools: Tools) -> tuple[str, ...]:
    return tuple(_function_name(tool) for tool in tools)


def _function_name(reference: Mapping[str, object]) -> str:
    fields = GoFields("Tool", reference)
    return GoFields("ToolFunction", fields.mapping("function", "api.ToolFunction") or reference).text("name")
