"""Messages, tools and calls as templates see them: Ollama's fields, types and printed forms."""

import pytest

from services.worker.chat_template.ollama_values import message_value, thinking_values, tool_call_value, tools_value
from shared.generation import Message, Think, ToolCall
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
CALL = ToolCall("weather", '{"unit": "C", "city": "Rome", "days": 1000000, "deep": {"b": 1, "a": [2]}}', "call_1")
TOOL_JSON = (
    '{"type":"function","function":{"name":"weather","description":"Tells \\u003cthe\\u003e weather","parameters":'
    '{"type":"object","required":["city"],"properties":{"any":{"anyOf":[{"type":"integer"},{"type":"array"}]},'
    '"city":{"type":"string","description":"Where"},"unit":{"type":["string","null"],"enum":["C","F"]},'
    '"where":{"type":"object","properties":{"y":{"type":"number"},"x":{"type":"number"}},"required":["x"]}}}}}'
)


def rendered(source: str) -> str:
    message = message_value(Message("assistant", "Hm", tool_calls=(CALL,)))
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


def test_calls_count_from_zero_and_may_have_no_arguments() -> None:
    values = [tool_call_value(ToolCall(name, ""), index) for index, name in enumerate("ab")]
    source = "{{ range . }}{{ .Function.Name }}{{ .Function.Index }}{{ .Function.Arguments }} {{ end }}"
    assert render(parse_template(source), values) == "a0{} b1{} "


def test_a_message_shows_its_thoughts_its_images_and_what_it_answers() -> None:
    message = Message("tool", "4", thinking="hm", tool_name="add", tool_call_id="call_1", images=(b"a", b"b"))
    source = "{{ .Thinking }} {{ .ToolName }} {{ .ToolCallID }} {{ len .Images }}{{ if .Images }} seen{{ end }}"
    assert render(parse_template(source), message_value(message)) == "hm add call_1 2 seen"


@pytest.mark.parametrize(
    ("think", "shown"),
    [(None, "false,,false"), (False, "false,,true"), (True, "true,medium,true"), ("low", "true,low,true")],
)
def test_thinking_is_a_flag_a_level_and_whether_it_was_said(think: Think, shown: str) -> None:
    source = "{{ .Think }},{{ .ThinkLevel }},{{ .IsThinkSet }}"
    assert render(parse_template(source), thinking_values(think)) == shown
