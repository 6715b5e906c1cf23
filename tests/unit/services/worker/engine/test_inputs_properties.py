"""Laws of cutting an input: it fits, the frame of special tokens stays, and the content keeps its beginning."""

from hypothesis import given
from hypothesis import strategies as st

from fakes.backend import BOS, FakeVocabulary
from services.worker.engine.inputs import input_tokens, shortened

TOKENS = st.lists(st.integers(0, 9), max_size=12)


@given(head=TOKENS, content=TOKENS, tail=TOKENS, room=st.integers(1, 12))
def test_a_cut_input_has_the_wanted_length_and_both_ends_of_the_frame(
    head: list[int], content: list[int], tail: list[int], room: int
) -> None:
    tokens_max = len(head) + len(tail) + room
    cut = shortened([*head, *content, *tail], content, tokens_max)
    assert len(cut) == min(tokens_max, len(head) + len(content) + len(tail))
    assert sorted(cut) == sorted([*head, *content[:room], *tail])


@given(text=st.text(max_size=40), tokens_max=st.integers(2, 24))
def test_no_text_has_more_tokens_than_allowed_and_each_keeps_its_beginning(text: str, tokens_max: int) -> None:
    found = input_tokens(text, FakeVocabulary(), tokens_max=tokens_max, truncate=True)
    whole = [BOS, *text.encode()]
    assert list(found.tokens) == whole[:tokens_max]
    assert found.truncated == (len(whole) > tokens_max)
