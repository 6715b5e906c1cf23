"""The tools of OpenAI's responses: functions, alone or in namespaces. Pure.

A function of a namespace is one tool whose name has the namespace in front (`crm.lookup`); calls of it are told apart
again. Tools that OpenAI runs itself are named for refusal: this server runs none.
Source: OpenAI's API reference (Responses, tools); Ollama `openai/responses.go`.
"""

from collections.abc import Sequence

import msgspec

from services.gateway.dialects.openai_tools import Tools, tool_definition
from services.gateway.dialects.responses_items import qualified
from shared.errors import ParameterInvalid
from shared.go_json import GoFields


class ResponseTools(msgspec.Struct, frozen=True, kw_only=True):
    """`namespaces` are those of the tools that have one, by the tool's whole name. `unserved` are tools that this
    server cannot run. `shown` are all tools as replies repeat them.
    """

    definitions: Tools = ()
    namespaces: dict[str, str] = {}
    unserved: tuple[str, ...] = ()
    shown: tuple[dict[str, object], ...] = ()


def read_tools(raw: Sequence[dict[str, object]]) -> ResponseTools:
    """Raises: ParameterInvalid, which names the tool's place."""
    tools = [_read(one, f"tools[{index}]") for index, one in enumerate(raw)]
    return ResponseTools(
        definitions=tuple(definition for tool in tools for definition in tool.definitions),
        namespaces={name: space for tool in tools for name, space in tool.namespaces.items()},
        unserved=tuple(dict.fromkeys(name for tool in tools for name in tool.unserved)),
        shown=tuple(shown for tool in tools for shown in tool.shown),
    )


def _read(raw: dict[str, object], place: str, namespace: str = "") -> ResponseTools:
    fields = GoFields("ResponsesTool", raw)
    kind = fields.text("type") or "function"
    try:
        if kind == "function":
            return _function(raw, namespace)
        if kind == "namespace" and not namespace:
            return _namespace(raw, place)
    except ParameterInvalid as problem:
        raise ParameterInvalid(f"{place}: {problem.message}") from problem
    return ResponseTools(unserved=(f"{kind} tools",))


def _function(raw: dict[str, object], namespace: str) -> ResponseTools:
    fields = GoFields("ResponsesTool", raw)
    name = qualified(namespace, fields.text("name"))
    shown: dict[str, object] = {
        "type": "function",
        "name": fields.text("name"),
        "description": fields.text("description") or None,
        "parameters": fields.mapping("parameters"),
        "strict": fields.flag("strict"),
    }
    # An empty name is refused there; a namespace in front must not hide it.
    definition = tool_definition({**raw, "name": name if fields.text("name") else ""})
    return ResponseTools(definitions=(definition,), namespaces={name: namespace} if namespace else {}, shown=(shown,))


def _namespace(raw: dict[str, object], place: str) -> ResponseTools:
    fields = GoFields("ResponsesNamespace", raw)
    name = fields.text("name")
    if not name:
        raise ParameterInvalid("a namespace needs a name")
    inner = fields.objects("tools", "openai.ResponsesTool") or []
    tools = [_read(one, f"{place}.tools[{index}]", name) for index, one in enumerate(inner)]
    shown: dict[str, object] = {
        "type": "namespace",
        "name": name,
        "description": fields.text("description"),
        "tools": [one for tool in tools for one in tool.shown],
    }
    return ResponseTools(
        definitions=tuple(definition for tool in tools for definition in tool.definitions),
        namespaces={full: space for tool in tools for full, space in tool.namespaces.items()},
        unserved=tuple(kind for tool in tools for kind in tool.unserved),
        shown=(shown,),
    )
