"""Any cutting of the bytes gives the text of the whole."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.detokenizer import Detokenizer


@given(st.lists(st.binary(max_size=5)))
def test_any_bytes_decode_as_if_they_had_come_at_once(pieces: list[bytes]) -> None:
    detokenizer = Detokenizer()
    text = "".join([detokenizer.feed(piece) for piece in pieces]) + detokenizer.flush()
    assert text == b"".join(pieces).decode(errors="replace")


@given(st.text(), st.integers(1, 5))
def test_valid_text_comes_in_whole_characters_and_nothing_is_replaced(text: str, width: int) -> None:
    encoded = text.encode()
    detokenizer = Detokenizer()
    shown = ""
    for start in range(0, len(encoded), width):
        shown += detokenizer.feed(encoded[start : start + width])
        assert text.startswith(shown)
    assert shown == text
    assert detokenizer.flush() == ""
