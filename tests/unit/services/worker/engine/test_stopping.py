"""Stop strings in streamed text."""

from services.worker.engine.stopping import StopMatcher


def test_text_flows_through_when_there_is_nothing_to_stop_at() -> None:
    matcher = StopMatcher(())
    assert matcher.feed("anything") == "anything"
    assert matcher.flush() == ""


def test_text_before_the_stop_string_is_shown_and_nothing_after() -> None:
    matcher = StopMatcher(("STOP",))
    assert matcher.feed("one STOP two") == "one "
    assert matcher.stopped
    assert matcher.flush() == ""


def test_the_beginning_of_a_stop_string_is_held_back_until_it_is_settled() -> None:
    matcher = StopMatcher(("</end>",))
    assert matcher.feed("a </") == "a "
    assert matcher.feed("b") == "</b"
    assert not matcher.stopped


def test_a_stop_string_is_found_across_pieces() -> None:
    matcher = StopMatcher(("abc",))
    assert [matcher.feed(piece) for piece in ("xa", "b", "c")] == ["x", "", ""]
    assert matcher.stopped


def test_a_repeated_beginning_does_not_hide_the_stop_string() -> None:
    matcher = StopMatcher(("aab",))
    assert [matcher.feed(piece) for piece in "aaab"] == ["", "", "a", ""]
    assert matcher.stopped


def test_the_earliest_of_several_stop_strings_counts() -> None:
    matcher = StopMatcher(("late", "early"))
    assert matcher.feed("x early late") == "x "


def test_a_stop_string_inside_a_longer_one_counts_however_the_text_arrives() -> None:
    for pieces in (("abcd",), ("abc", "d"), ("a", "b", "c", "d")):
        matcher = StopMatcher(("abcd", "bc"))
        shown = ""
        for piece in pieces:
            if not matcher.stopped:
                shown += matcher.feed(piece)
        assert shown == "a"


def test_held_back_text_is_shown_when_the_sequence_ends_by_itself() -> None:
    matcher = StopMatcher(("stop",))
    assert matcher.feed("st") == ""
    assert matcher.flush() == "st"
    assert matcher.flush() == ""


def test_empty_stop_strings_are_ignored() -> None:
    matcher = StopMatcher(("", ""))
    assert matcher.feed("text") == "text"
    assert not matcher.stopped


def test_the_stop_string_that_ended_the_text_is_named() -> None:
    matcher = StopMatcher(("late", "early"))
    assert matcher.matched == ""
    matcher.feed("x early late")
    assert matcher.matched == "early"
