"""The tools of responses: flat functions, namespaces, and those that only OpenAI runs."""

import pytest

from services.gateway.dialects.openai_tools import Tools
from services.gateway.dialects.responses_tools import read_tools
from shared.errors import ParameterInvalid

LOOK: dict[str, object] = {"type": "function", "name": "look", "description": "d", "parameters": {"type": "object"}}


def names(definitions: Tools) -> list[object]:
    return [function["name"] for one in definitions if isinstance(function := one["function"], dict)]


def test_a_function_is_flat_and_shown_with_all_its_fields() -> None:
    tools = read_tools([LOOK])
    function = {"name": "look", "description": "d", "parameters": {"type": "object"}}
    assert tools.definitions == ({"type": "function", "function": function},)
    assert tools.shown == ({**LOOK, "strict": None},)


def test_a_namespace_is_its_functions_with_its_name_in_front() -> None:
    tools = read_tools([{"type": "namespace", "name": "crm", "description": "n", "tools": [LOOK]}, LOOK])
    assert names(tools.definitions) == ["crm.look", "look"]
    assert tools.namespaces == {"crm.look": "crm"}
    assert tools.shown[0] == {
        "type": "namespace",
        "name": "crm",
        "description": "n",
        "tools": [{**LOOK, "strict": None}],
    }


def test_tools_of_openais_own_are_named() -> None:
    nested: dict[str, object] = {"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "c"}]}
    assert read_tools([{"type": "web_search"}, nested, {"type": "web_search"}]).unserved == (
        "web_search tools",
        "custom tools",
    )


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        ({"type": "function"}, "tools[0]: a tool needs a name"),
        ({"type": "namespace", "tools": []}, "tools[0]: a namespace needs a name"),
        (
            {"type": "namespace", "name": "n", "tools": [{"type": "function"}]},
            "tools[0]: tools[0].tools[0]: a tool needs a name",
        ),
    ],
)
def test_a_tool_without_a_name_is_refused(tool: dict[str, object], text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        read_tools([tool])
    assert refused.value.message == text
