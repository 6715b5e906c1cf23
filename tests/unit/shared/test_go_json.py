"""Bodies are decoded, and refused, in the words of Go's encoding/json."""

from collections.abc import Callable

import pytest

from shared.errors import ParameterInvalid
from shared.go_json import GoFields, decode_object
from shared.go_syntax import NESTING_MAX


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "missing request body"),
        (b" \r\n\t", "missing request body"),
        (b"{", "unexpected EOF"),
        (b'{"model":"m"', "unexpected EOF"),
        (b'"abc', "unexpected EOF"),
        (b"-", "unexpected EOF"),
        (b"tru", "unexpected EOF"),
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b"model=m&stream=false", "invalid character 'm' looking for beginning of value"),
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        (b"{\xc2\xa0}", "invalid character 'Â' looking for beginning of object key string"),
        (b'{"a":\x00}', "invalid character '\\x00' looking for beginning of value"),
        (b'{"a":\x85}', "invalid character '\\u0085' looking for beginning of value"),
        (b'{"a":"\n"}', "invalid character '\\n' in string literal"),
        (b"{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"[01]", "invalid character '1' after array element"),
        (b'{"a":tRue}', "invalid character 'R' in literal true (expecting 'r')"),
        (b'{"a":falsy}', "invalid character 'y' in literal false (expecting 'e')"),
        (b'{"a":nil}', "invalid character 'i' in literal null (expecting 'u')"),
        (b'{"a":NaN}', "invalid character 'N' looking for beginning of value"),
        (b'{"a":-Infinity}', "invalid character 'I' in numeric literal"),
        (b'{"a":"\\x"}', "invalid character 'x' in string escape code"),
        (b'{"a":"\\u12G4"}', "invalid character 'G' in \\u hexadecimal character escape"),
        (b'{"a":-x}', "invalid character 'x' in numeric literal"),
        (b'{"a":1.}', "invalid character '}' after decimal point in numeric literal"),
        (b'{"a":1e+}', "invalid character '}' in exponent of numeric literal"),
        (b'{"a":1e400}', "json: cannot unmarshal number 1e400 into Go value of type float64"),
    ],
)
def test_a_body_that_is_not_json_is_refused_in_gos_words(body: bytes, text: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        decode_object(body)
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("body", "kind"), [(b"[]", "array"), (b'"a"', "string"), (b"1", "number"), (b"1.5x", "number"), (b"true", "bool")]
)
def test_a_body_that_is_no_object_names_the_go_type_it_should_have_been(body: bytes, kind: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        decode_object(body, go_type="api.ChatRequest")
    assert caught.value.message == f"json: cannot unmarshal {kind} into Go value of type api.ChatRequest"


def test_only_the_first_value_counts() -> None:
    assert decode_object(b' {"a":1} trailing { garbage') == {"a": 1}
    assert decode_object(b"null") == {}


def test_broken_text_becomes_replacement_characters_one_for_each_byte() -> None:
    assert decode_object(b'{"a":"\xe2\x82 \xff"}') == {"a": "\ufffd\ufffd \ufffd"}
    assert decode_object(b'{"\\ud800":["\\udc00\\ud83d\\ude00"]}') == {"\ufffd": ["\ufffd\U0001f600"]}


def test_nesting_is_accepted_up_to_the_limit_and_not_one_further() -> None:
    deepest = b'{"a":' + b"[" * (NESTING_MAX - 1) + b"]" * (NESTING_MAX - 1) + b"}"
    assert "a" in decode_object(deepest)
    with pytest.raises(ParameterInvalid) as caught:
        decode_object(b'{"a":' + b"[" * NESTING_MAX + b"]" * NESTING_MAX + b"}")
    assert caught.value.message == "invalid character '[' exceeded max depth"


def test_many_flat_brackets_are_no_nesting() -> None:
    assert decode_object(b'{"a":[' + b"[],{}," * 1000 + b"{}]}")["a"] == [[], {}] * 1000 + [{}]


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300])
def test_a_whole_number_beyond_64_bits_is_a_real_one(number: int) -> None:
    decoded = decode_object(b'{"a": %d, "b": 18446744073709551615, "c": -9223372036854775808}' % number)
    assert decoded == {"a": float(number), "b": 2**64 - 1, "c": -(2**63)}
    assert isinstance(decoded["a"], float)


def test_an_integer_of_absurd_length_is_refused_without_being_computed() -> None:
    with pytest.raises(ParameterInvalid):
        decode_object(b'{"a":' + b"9" * 100_000 + b"}")


def test_keys_match_whatever_their_case_and_null_is_unset() -> None:
    fields = GoFields("ChatRequest", {"MODEL": "m", "Stream": None, "model": None})
    assert fields.text("model") == "m"
    assert fields.flag("stream") is None
    assert fields.text("system") == ""
    assert fields.mapping("options") is None


def test_fields_give_their_values() -> None:
    values: dict[str, object] = {"n": 3, "x": 2, "m": {"a": 1}, "t": {"f": "d", "g": None}, "l": ["a", None], "o": [{}]}
    fields = GoFields("Request", values)
    assert (fields.integer("n"), fields.real("x")) == (3, 2.0)
    assert fields.mapping("m") == {"a": 1}
    assert fields.text_mapping("t") == {"f": "d", "g": ""}
    assert fields.texts("l") == ["a", ""]
    assert fields.objects("o", "api.Message") == [{}]
    assert fields.anything("m") == {"a": 1}


WRONG = GoFields(
    "ChatRequest", {"model": 1, "stream": "yes", "n": 1.5, "big": 2**63, "m": [], "l": [1], "o": [2], "t": {"a": 1}}
)


@pytest.mark.parametrize(
    ("read", "kind", "field", "go_type"),
    [
        (lambda: WRONG.text("model"), "number", "model", "string"),
        (lambda: WRONG.flag("stream"), "string", "stream", "bool"),
        (lambda: WRONG.integer("n"), "number 1.5", "n", "int"),
        (lambda: WRONG.integer("big"), "number 9223372036854775808", "big", "int"),
        (lambda: WRONG.real("stream"), "string", "stream", "float64"),
        (lambda: WRONG.mapping("m"), "array", "m", "map[string]interface {}"),
        (lambda: WRONG.text_mapping("t"), "number", "t", "string"),
        (lambda: WRONG.items("t"), "object", "t", "[]interface {}"),
        (lambda: WRONG.texts("l"), "number", "l", "string"),
        (lambda: WRONG.objects("o", "api.Message"), "number", "o", "api.Message"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_in_gos_words(
    read: Callable[[], object], kind: str, field: str, go_type: str
) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        read()
    assert (
        caught.value.message
        == f"json: cannot unmarshal {kind} into Go struct field ChatRequest.{field} of type {go_type}"
    )
