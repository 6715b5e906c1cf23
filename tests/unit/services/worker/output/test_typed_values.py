"""Bare text as the type that a schema asks for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.output.typed_values import typed_text


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("3", {"type": "integer"}, 3),
        ("3", {"type": "string"}, "3"),
        ("3", {"type": ["string", "integer"]}, 3),
        ("3.5", {"type": "integer"}, "3.5"),
        (" -1.5e3 ", {"type": "number"}, -1500.0),
        ("007", {"type": "number"}, "007"),
        ("TRUE", {"type": "boolean"}, True),
        ("maybe", {"type": "boolean"}, "maybe"),
        ("null", {"type": "integer"}, None),
        ("null", {"type": "string"}, "null"),
        ("[1, 2]", {"type": "array"}, [1, 2]),
        ("[1, 2", {"type": "array"}, "[1, 2"),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
        ('{"a": 1}', {"type": "string"}, '{"a": 1}'),
        ('{"a": 1}', {"$ref": "#/$defs/A"}, {"a": 1}),
        ("5", {"anyOf": [{"type": "integer"}, {"type": "null"}]}, 5),
        ("5", None, "5"),
    ],
)
def test_a_value_has_the_narrowest_type_that_fits(text: str, schema: Any, value: object) -> None:
    assert json.loads(typed_text(text, schema)) == value


@given(st.text(), st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", None]))
def test_whatever_the_text_the_value_is_json(text: str, name: str | None) -> None:
    value = json.loads(typed_text(text, {"type": name} if name else {}))
    if name == "string":
        assert value == text
