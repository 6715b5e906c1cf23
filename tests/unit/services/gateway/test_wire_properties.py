"""Whatever is said, its JSON is one line to every reader of lines, and means the same."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.wire import encode

BREAKING = st.text(alphabet=st.sampled_from('a\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r\nné🐎"\\'))


@given(BREAKING | st.text())
def test_json_is_one_line_that_means_what_was_said(text: str) -> None:
    body = encode({text: [text]})
    assert len(body.decode().splitlines()) == 1
    assert json.loads(body) == {text: [text]}
