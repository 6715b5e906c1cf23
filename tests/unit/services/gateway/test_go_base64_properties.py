"""Whatever the bytes, they come back; whatever the text, it is read or refused."""

import base64
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.go_base64 import decode_base64
from shared.errors import ParameterInvalid


@given(st.binary(), st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["\n", "\r\n"])), max_size=5))
def test_bytes_come_back_wherever_lines_are_broken(data: bytes, breaks: list[tuple[int, str]]) -> None:
    text = base64.b64encode(data).decode()
    for position, line_break in breaks:
        text = text[:position] + line_break + text[position:]
    assert decode_base64(text) == data


@given(st.text(st.sampled_from("aGk+/=\n\ré"), max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ParameterInvalid):
        decode_base64(text)
