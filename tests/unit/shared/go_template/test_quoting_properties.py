"""Laws of quoting: what is quoted is read back, whatever it is made of."""

from hypothesis import given
from hypothesis import strategies as st

from shared.go_template.quoting import quoted, quoted_character, to_bytes, to_text, unquoted, unquoted_character, whole

characters = st.characters(exclude_categories=["Cs"])


@given(st.binary(max_size=50))
def test_any_bytes_can_be_text_quoted_and_read_again(content: bytes) -> None:
    text = to_text(content)
    assert to_bytes(text) == content
    assert unquoted(quoted(text)) == text
    assert unquoted(quoted(text, ascii_only=True)) == text
    assert quoted(text, ascii_only=True).isascii()


@given(characters)
def test_any_character_can_be_quoted_and_read_again(character: str) -> None:
    assert unquoted_character(quoted_character(ord(character))) == ord(character)


@given(st.text())
def test_whole_text_can_always_be_encoded_and_good_text_stays(text: str) -> None:
    whole(text).encode()
    assert whole(whole(text)) == whole(text)


@given(st.text(characters))
def test_text_without_surrogates_is_whole(text: str) -> None:
    assert whole(text) == text
