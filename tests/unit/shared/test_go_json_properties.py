"""Whatever the bytes say: the value Python's own decoder gives, or a refusal."""

import json

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ParameterInvalid
from shared.go_json import decode_object
from shared.go_syntax import value_span

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)  # larger ones become real numbers
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5)
LAYOUTS = st.sampled_from([(None, (",", ":")), (2, (",", ": ")), (None, (" ,\t", "\r: "))])


def outcome(body: bytes) -> object:
    try:
        return decode_object(body)
    except ParameterInvalid as error:
        return error.message


def span_outcome(body: bytes) -> tuple[str, int]:
    try:
        return "", value_span(body)[1]
    except ParameterInvalid as error:
        return error.message, 0


@given(OBJECTS, LAYOUTS, st.booleans())
def test_valid_json_means_what_pythons_decoder_says(
    value: dict[str, object], layout: tuple[int | None, tuple[str, str]], ascii_only: bool
) -> None:
    text = json.dumps(value, indent=layout[0], separators=layout[1], ensure_ascii=ascii_only)
    body = text.encode()
    assert decode_object(body) == json.loads(text) == value
    assert value_span(body) == (0, len(body))


@given(OBJECTS, st.integers(0))
def test_a_cut_body_is_an_unexpected_end(value: dict[str, object], cut: int) -> None:
    body = json.dumps(value).encode()
    kept = body[: cut % len(body)]
    assert outcome(kept) == ("unexpected EOF" if kept else "missing request body")


@given(OBJECTS, st.integers(0), st.integers(0, 255), st.integers(0, 2))
def test_a_mutated_body_is_decoded_or_refused(value: dict[str, object], place: int, byte: int, kept: int) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    at = place % (len(body) + 1)
    mutated = body[:at] + bytes([byte]) + body[at + kept :]
    result = outcome(mutated)
    assert isinstance(result, str | dict)


@given(st.binary() | st.text('{}[]",:truefalsn01.-+eE\\ \n').map(str.encode))
def test_the_two_grammars_agree_on_any_bytes(body: bytes) -> None:
    fault, end = span_outcome(body)
    result = outcome(body)
    if fault:
        assert result == fault
    else:
        assert isinstance(result, dict) or "Go value of type" in str(result)
        assert result == outcome(body[:end])
