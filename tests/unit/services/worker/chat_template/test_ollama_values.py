"""Messages, tools and calls as templates see them: Ollama's fields, types and printed forms."""

import pytest

from services.worker.chat_template.ollama_values import message_value, tool_call_value, tools_value
from shared.generation import Message
from shared.go_template import TemplateFailed, parse_template, render

WEATHER: dict[str, object] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells <the> weather",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {
                "unit": {"type": ["string", "null"], "enum": ["C", "F"]},
                "city": {"type": "string", "description": "Where"},
                "where": {
                    "type": "object",
                    "properties": {"y": {"type": "number"}, "x": {"type": "number"}},
                    "required": ["x"],
                },
                "any": {"anyOf": [{"type": "integer"}, {"type": "array"}]},
            },
        },
    },
}
CALL: dict[str, object] = {
    "id": "call_1",
    "function": {
        "name": "weather",
        "arguments": {"unit": "C", "city": "Rome", "days": 1000000, "deep": {"b": 1, "a": [2]}},
    },
}
TOOL_JSON = (
    '{"type":"function","function":{"name":"weather","description":"Tells \\u003cthe\\u003e weather","parameters":'
    '{"type":"object","required":["city"],"properties":{"any":{"anyOf":[{"type":"integer"},{"type":"array"}]},'
    '"city":{"type":"string","description":"Where"},"unit":{"type":["string","null"],"enum":["C","F"]},'
    '"where":{"type":"object","properties":{"y":{"type":"number"},"x":{"type":"number"}},"required":["x"]}}}}}'
)


def rendered(source: str) -> str:
    message = message_value(Message("assistant", "Hm"), [CALL])
    return render(parse_template(source), {"Tools": tools_value([WEATHER]), "Messages": [message]})


def test_tools_print_as_compact_json_with_sorted_properties() -> None:
    assert rendered("{{ .Tools }}") == f"[{TOOL_JSON}]"
    assert rendered("{{ range .Tools }}{{ . }}{{ end }}") == TOOL_JSON
    assert rendered("{{ json .Tools }}{{ json (index .Tools 0) }}") == f"[{TOOL_JSON}]{TOOL_JSON}"


def test_a_tools_parts_can_be_read_and_gone_over() -> None:
    source = (
        "{{ range .Tools }}{{ .Type }} {{ .Function.Name }}: {{ .Function.Description }} "
        "{{ .Function.Parameters.Type }} {{ .Function.Parameters.Required }}"
        "{{ range $name, $p := .Function.Parameters.Properties }}\n"
        "{{ $name }} {{ $p.Type }} {{ toTypeScriptType $p }} {{ $p.Description }} {{ $p.Enum }}{{ end }}{{ end }}"
    )
    assert rendered(source) == (
        "function weather: Tells <the> weather object [city]\n"
        "any  number | any[]  []\n"
        "city string string Where []\n"
        "unit [string null] string | null  [C F]\n"
        "where object Record<string, any>  []"
    )


def test_properties_print_as_json() -> None:
    assert rendered("{{ range .Tools }}{{ len .Function.Parameters.Properties }}{{ end }}") == "4"
    assert rendered("{{ (index .Tools 0).Function.Parameters.Properties }}").startswith('{"any":{"anyOf"')


def test_arguments_print_as_json_and_their_numbers_are_floats() -> None:
    calls = "{{ range .Messages }}{{ range .ToolCalls }}" + "%s" + "{{ end }}{{ end }}"
    assert rendered(calls % "{{ .ID }} {{ .Function.Index }} {{ .Function.Name }} {{ .Function.Arguments }}") == (
        'call_1 0 weather {"city":"Rome","days":1000000,"deep":{"a":[2],"b":1},"unit":"C"}'
    )
    assert rendered(calls % "{{ range $k, $v := .Function.Arguments }}{{ $k }}={{ $v }};{{ end }}") == (
        "city=Rome;days=1e+06;deep=map[a:[2] b:1];unit=C;"
    )


def test_a_message_shows_its_fields_in_json_by_their_own_names() -> None:
    plain = message_value(Message("user", "Hi"))
    assert render(parse_template("{{ json . }}"), plain) == (
        '{"Role":"user","Content":"Hi","Thinking":"","Images":null,"ToolCalls":null,"ToolName":"","ToolCallID":""}'
    )


def test_without_calls_and_tools_there_is_nothing() -> None:
    message = message_value(Message("user", "Hi"))
    source = (
        "{{ if .M.ToolCalls }}calls{{ end }}{{ if .Tools }}tools{{ end }}{{ len .Tools }}{{ range .Tools }}x{{ end }}"
    )
    assert render(parse_template(source), {"M": message, "Tools": tools_value([])}) == "0"


def test_a_field_no_tool_has_is_an_error() -> None:
    with pytest.raises(TemplateFailed, match=r"can't evaluate field Title in type template\.templateToolFunction"):
        rendered("{{ range .Tools }}{{ .Function.Title }}{{ end }}")


def test_calls_count_from_zero_unless_they_say() -> None:
    calls: list[dict[str, object]] = [{"function": {"name": "a"}}, {"function": {"name": "b", "index": 7}}]
    values = [tool_call_value(call, index) for index, call in enumerate(calls)]
    source = "{{ range . }}{{ .Function.Name }}{{ .Function.Index }}{{ .Function.Arguments }} {{ end }}"
    assert render(parse_template(source), values) == "a0{} b7{} "
