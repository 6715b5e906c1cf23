"""Base64 as Go reads it, with the places of Go's complaints."""

import pytest

from services.gateway.go_base64 import decode_base64
from shared.errors import ParameterInvalid


@pytest.mark.parametrize(
    ("text", "data"),
    [("", b""), ("aGk=", b"hi"), ("aG\nk=\r\n", b"hi"), ("aGkh", b"hi!"), ("aA\n=\n=\n", b"h"), ("aB==", b"h")],
)
def test_standard_base64_is_read_and_line_breaks_do_not_matter(text: str, data: bytes) -> None:
    assert decode_base64(text) == data


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("data:image/png;base64,aGk=", 4),
        ("aGk", 0),
        ("aGkhaGk", 4),
        ("aGkhaA", 4),
        ("a-_=", 1),
        ("=", 0),
        ("a===", 1),
        ("aA=", 3),
        ("aA=a", 2),
        ("aA==a", 4),
        ("aGk=aGk=", 4),
        ("aGk=\n\naGk=", 6),
        ("aGkhé", 4),
        ("éaGk", 0),
    ],
)
def test_anything_else_is_refused_where_go_stops(text: str, position: int) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        decode_base64(text)
    assert refused.value.message == f"illegal base64 data at input byte {position}"
