"""Marks in text that arrives in parts."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.output.scanning import HeldSpace, Marks, Scanner

MARKS = Marks("ab", "abc", "bb", "caac")


def found(parts: list[str]) -> tuple[list[tuple[str, str]], str]:
    """The texts before marks with these, and what is left."""
    scanner, texts, passed = Scanner(), "", []
    for part in parts:
        scanner.feed(part)
        while True:
            text, mark = scanner.until(MARKS)
            texts += text
            if not mark:
                break
            passed.append((texts, mark))
            texts = ""
    return passed, texts + scanner.rest()


@given(st.lists(st.text("abc", max_size=4)))
def test_the_same_marks_are_found_however_the_text_is_cut(parts: list[str]) -> None:
    whole = "".join(parts)
    passed, rest = found(parts)
    assert "".join(text + mark for text, mark in passed) + rest == whole
    assert (passed, rest) == found(list(whole))


@given(st.lists(st.text("ab \n", max_size=4)))
def test_held_space_loses_nothing_and_shows_no_trailing_whitespace(parts: list[str]) -> None:
    space, shown = HeldSpace(), ""
    for part in parts:
        shown += space.feed(part)
        assert shown == "".join(parts).rstrip()[: len(shown)]
        assert shown == shown.rstrip()
    assert shown + space.flush() == "".join(parts)


def test_no_marks_hold_nothing_back() -> None:
    scanner = Scanner()
    scanner.feed("a<")
    assert scanner.until(Marks()) == ("a<", "")
    assert not Marks("")
