"""However the text is cut into pieces, what is shown is the text up to the first stop string."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.stopping import StopMatcher

TEXT = st.text("ab<é", max_size=30)
STOPS = st.lists(st.text("ab<é", min_size=1, max_size=4), min_size=1, max_size=3)


@st.composite
def cut_texts(draw: st.DrawFn) -> list[str]:
    text = draw(TEXT)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)))))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def shown_by(matcher: StopMatcher, pieces: list[str]) -> str:
    shown = ""
    for piece in pieces:
        shown += matcher.feed(piece)
        if matcher.stopped:
            return shown
    return shown + matcher.flush()


def first_completed(text: str, stops: list[str]) -> int | None:
    """Where a reader who looks after every character would cut; of stops completed together the longest counts."""
    for end in range(1, len(text) + 1):
        starts = [found for stop in stops if (found := text[:end].find(stop)) >= 0]
        if starts:
            return min(starts)
    return None


@given(cut_texts(), st.text("ab<é", min_size=1, max_size=4))
def test_every_cutting_shows_the_text_up_to_the_stop_string(pieces: list[str], stop: str) -> None:
    text = "".join(pieces)
    matcher = StopMatcher((stop,))
    assert shown_by(matcher, pieces) == text.partition(stop)[0]
    assert matcher.stopped == (stop in text)


@given(cut_texts(), STOPS)
def test_no_stop_string_is_ever_shown(pieces: list[str], stops: list[str]) -> None:
    text = "".join(pieces)
    matcher = StopMatcher(stops)
    shown = shown_by(matcher, pieces)
    assert text.startswith(shown)
    assert not any(stop in shown for stop in stops)
    if not matcher.stopped:
        assert shown == text


@given(cut_texts(), STOPS)
def test_of_several_stop_strings_the_one_completed_first_wins_in_every_cutting(
    pieces: list[str], stops: list[str]
) -> None:
    text = "".join(pieces)
    cut = first_completed(text, stops)
    assert shown_by(StopMatcher(stops), pieces) == (text if cut is None else text[:cut])


@given(cut_texts(), STOPS)
def test_only_what_may_begin_a_stop_string_is_held_back(pieces: list[str], stops: list[str]) -> None:
    matcher = StopMatcher(stops)
    shown = ""
    for end in range(len(pieces)):
        shown += matcher.feed(pieces[end])
        if matcher.stopped:
            return
        held = "".join(pieces[: end + 1])[len(shown) :]
        assert not held or any(stop.startswith(held) for stop in stops)
