"""Values that data brings along: structs, lists and maps that print as JSON, and JSON itself."""

import math

import pytest

from shared.errors import TemplateFailed
from shared.go_template.values import (
    JsonList,
    JsonMap,
    NilList,
    Struct,
    TypeNames,
    equal,
    json_of,
    printed,
    text_of,
    truth,
)

TOOL = Struct("api.Tool", {"Type": "function"}, {"type": "function", "a": None}, prints_json=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<no value>"),
        (Struct("api.Point", {"X": 1, "Y": None}, {}), "{1 <nil>}"),
        (TOOL, '{"type":"function","a":null}'),
        (JsonList([TOOL]), '[{"type":"function","a":null}]'),
        (JsonMap({"b": 1, "a": ["<"]}), '{"a":["\\u003c"],"b":1}'),
        (JsonMap(), "{}"),
        (NilList(), "[]"),
        (TypeNames(["string"]), "string"),
        (TypeNames(["string", "null"]), "[string null]"),
        (TypeNames(), ""),
        ([TypeNames(["string"]), JsonMap({"a": 1})], '[string {"a":1}]'),
    ],
)
def test_a_value_prints_as_its_go_type_does(value: object, text: str) -> None:
    assert printed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NilList(), "null"),
        ([], "[]"),
        (TypeNames(["string"]), '"string"'),
        (TypeNames(["string", "null"]), '["string","null"]'),
        (Struct("T", {}, {"z": 1, "a": 2}), '{"z":1,"a":2}'),
        ({"z": 1, "a": 2}, '{"a":2,"z":1}'),
        ({"é": "\u2028 \x01\b"}, '{"é":"\\u2028 \\u0001\\b"}'),
        (1.0, "1"),
        (-0.0, "-0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e-9, "1.5e-9"),
        (1e-10, "1e-10"),
        (True, "true"),
    ],
)
def test_json_is_what_gos_encoder_writes(value: object, text: str) -> None:
    assert json_of(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf]])
def test_numbers_without_json_are_refused(value: object) -> None:
    with pytest.raises(TemplateFailed, match="unsupported value"):
        json_of(value)


def test_a_struct_is_true_and_a_list_that_was_never_made_is_nil() -> None:
    assert truth(Struct("T", {}, {}))
    assert not truth(NilList())
    assert equal(NilList(), None)
    assert not equal([], None)


def test_values_nested_without_end_are_refused() -> None:
    value: object = 1
    for _ in range(200):
        value = {"a": [value]}
    for shown in (text_of, json_of):
        with pytest.raises(TemplateFailed, match="nested too deeply"):
            shown(value)
