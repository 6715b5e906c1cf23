"""Bytes to whole characters."""

from services.worker.engine.detokenizer import Detokenizer


def test_a_character_split_over_pieces_appears_when_it_is_whole() -> None:
    detokenizer = Detokenizer()
    assert [detokenizer.feed(bytes([byte])) for byte in "🐎".encode()] == ["", "", "", "🐎"]


def test_a_byte_that_can_never_become_valid_is_replaced_at_once() -> None:
    assert Detokenizer().feed(b"a\xffb") == "a\ufffdb"


def test_an_unfinished_character_at_the_end_is_replaced_by_flush() -> None:
    detokenizer = Detokenizer()
    assert detokenizer.feed("é".encode()[:1]) == ""
    assert detokenizer.flush() == "\ufffd"


def test_flush_has_nothing_to_add_after_whole_characters() -> None:
    detokenizer = Detokenizer()
    detokenizer.feed(b"whole")
    assert detokenizer.flush() == ""
