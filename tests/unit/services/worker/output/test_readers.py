"""The bodies of calls, notation by notation: what is understood beyond the usual, and what is not."""

import json

import msgspec
import pytest

from fakes.model_outputs import TOOLS as DECLARED
from services.worker.output.brace_calls import read_gemma4_calls
from services.worker.output.json_calls import read_json_calls
from services.worker.output.name_scan import scan_for_calls
from services.worker.output.named_calls import read_deepseek_calls, read_mistral_calls
from services.worker.output.python_calls import read_python_calls
from services.worker.output.tagged_calls import read_function, read_tagged_calls
from services.worker.output.tools import Reader, Tools

ALIKE: list[dict[str, object]] = [{"function": {"name": "add"}}, {"function": {"name": "add_one"}}]
TOOLS = Tools([*DECLARED, *ALIKE])


def calls(read: Reader, body: str) -> list[tuple[str, object]]:
    return [(call.name, json.loads(call.arguments)) for call in read(body, TOOLS)]


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "f", "arguments": {"a": 1}}',
        '[{"name": "f", "parameters": {"a": 1}}]',
        '{"arguments": "{\\"a\\": 1}", "name": "f"}',
        '{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}',
        '{"tool_name": "f", "args": {"a": 1}}',
    ],
)
def test_json_calls_come_in_several_shapes(body: str) -> None:
    assert calls(read_json_calls, body) == [("f", {"a": 1})]


def test_a_call_without_arguments_has_none() -> None:
    assert calls(read_json_calls, '[{"name": "f"}, {"name": "g", "arguments": null}]') == [("f", {}), ("g", {})]


@pytest.mark.parametrize("body", ["", "1", "[]]", '{"name": ""}', '{"a": 1}', '{"name": "f", "arguments": "x"}', "[1]"])
def test_other_json_is_no_call(body: str) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        read_json_calls(body, TOOLS)


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ('{"name": "add", "parameters": {"a": 1}}', ("add", {"a": 1})),
        ('{"add_one": {"a": 1}}', ("add_one", {"a": 1})),
        ('add_one\n{"a": 1}', ("add_one", {"a": 1})),
        ('{"function": "add", "arguments": "{\\"a\\": 1}"}', ("add", {"a": 1})),
        ('functions.add: {"parameters": {"a": 1}}', ("add", {"a": 1})),
    ],
)
def test_a_scan_finds_a_known_name_and_the_object_near_it(body: str, call: object) -> None:
    assert calls(scan_for_calls, body) == [call]


def test_a_scan_finds_all_of_a_list() -> None:
    assert calls(scan_for_calls, '[{"name": "add", "arguments": {}}, {"name": "clock"}]') == [
        ("add", {}),
        ("clock", {"name": "clock"}),
    ]


@pytest.mark.parametrize(
    "body", ["", "add", '{"a": 1}', '{"name": "address"}', '{"name": "add"', "[1]", '{"name": "adds"}']
)
def test_a_scan_finds_no_call_without_both(body: str) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        scan_for_calls(body, TOOLS)


def test_parameters_in_tags_are_typed_and_lose_one_line_break_on_each_side() -> None:
    body = (
        "<function=get_weather>\n<parameter=city>\n\n 12 </parameter>x\n</parameter>\n"
        '<parameter=days>4</parameter><parameter=detail>{"a": 1.0}</parameter><parameter=other>5</parameter>\n'
        "</function>"
    )
    arguments = {"city": "\n 12 </parameter>x", "days": 4, "detail": {"a": 1.0}, "other": "5"}
    assert calls(read_tagged_calls, body) == [("get_weather", arguments)]
    assert calls(read_function, "clock>\n") == [("clock", {})]


def test_a_bare_name_is_a_call_of_a_known_tool_only() -> None:
    assert calls(read_tagged_calls, " clock\n") == [("clock", {})]
    assert calls(read_tagged_calls, "f<arg_key>a</arg_key><arg_value>1</arg_value>") == [("f", {"a": "1"})]


@pytest.mark.parametrize(
    "body",
    [
        "nobody", "", "<function=", "<function=f>", "<function=></function>", "<function=f></function>x",
        "<function=f>x<parameter=a>1</parameter></function>", "<function=f><parameter=a>1</function>",
        "f<arg_key>a</arg_key>", "f<arg_key>a<arg_value>1", "f g<arg_key>a</arg_key><arg_value>1</arg_value>",
    ],
)  # fmt: skip
def test_tags_that_are_not_closed_are_no_call(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_tagged_calls(body, TOOLS)


def test_pythons_literals_become_json() -> None:
    body = r"""[f(a='it\'s', b="\u00e9\n", c=[1, -2.5e3, (True, None)], d={'k': False, 2: 'x',},), m.g-h()]"""
    arguments = {"a": "it's", "b": "é\n", "c": [1, -2500.0, [True, None]], "d": {"k": False, "2": "x"}}
    assert calls(read_python_calls, body) == [("f", arguments), ("m.g-h", {})]
    assert calls(read_python_calls, '[{"name": "f", "arguments": {}}]') == [("f", {})]
    assert calls(read_python_calls, "f(a=bare, b=01)") == [("f", {"a": "bare", "b": "01"})]
    assert calls(read_python_calls, "[f(a=1)") == [("f", {"a": 1})]


@pytest.mark.parametrize("body", ["", "[]", "f", "f(", "f(1)", "f(a=)", "f(a='x)", "f(a=1) 2", r"f(a='\ud800')"])
def test_other_python_is_no_call(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_python_calls(body, TOOLS)


def test_gemmas_values_are_bare_or_marked() -> None:
    body = 'call:f{a:<|"|>x,{"|"}<|"|>,b:New York,c:[1,null],d:{e:true},"f":"q"}'
    assert calls(read_gemma4_calls, body) == [
        ("f", {"a": 'x,{"|"}', "b": "New York", "c": [1, None], "d": {"e": True}, "f": "q"})
    ]


@pytest.mark.parametrize(
    "body", ["", "call:", "call:f", "f{}", 'call:f{a:<|"|>x}', "call:f{a}", "call:f{} x", "call:f{a:" + "[" * 200]
)
def test_other_braces_are_no_call(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_gemma4_calls(body, TOOLS)


def test_mistrals_call_may_carry_an_id_and_its_tool_must_be_known() -> None:
    assert calls(read_mistral_calls, 'clock[CALL_ID]abc123[ARGS]{"a": 1}') == [("clock", {"a": 1})]
    with pytest.raises(ValueError, match="tool 'nobody' not found"):
        read_mistral_calls("nobody[ARGS]{}", TOOLS)


@pytest.mark.parametrize(
    "body", ["", "f", "<｜tool▁sep｜>{}", "f<｜tool▁sep｜>[1]", "function<｜tool▁sep｜>f\n```json\n{"]
)
def test_deepseeks_broken_calls_are_none(body: str) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        read_deepseek_calls(body, TOOLS)
