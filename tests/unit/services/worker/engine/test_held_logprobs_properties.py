"""Whatever is held back and wherever a stop string cuts: each token is told once, in order, with its text."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.held_logprobs import HeldLogprobs
from shared.generation import TokenLogprob


@given(lengths=st.lists(st.integers(0, 4), max_size=12), data=st.data())
def test_told_tokens_are_those_whose_characters_are_shown(lengths: list[int], data: st.DataObject) -> None:
    held = HeldLogprobs()
    told: list[TokenLogprob] = []
    tokens = [TokenLogprob(b"%d" % index, -1.0) for index in range(len(lengths))]
    complete = shown = 0
    ends: list[int] = []
    for token, length in zip(tokens, lengths, strict=True):
        held.add(token, length)
        complete += length
        ends.append(complete)
        released = data.draw(st.integers(0, complete - shown))
        shown += released
        told += held.release(released)
        assert told == tokens[: len(told)]
        assert all(end <= shown for end in ends[: len(told)])
        assert all(end > shown for end in ends[len(told) : len(told) + 1])
    cut = held.cut()
    assert [*told, *cut] == tokens[: len(told) + len(cut)]
    begins = [end - length for end, length in zip(ends, lengths, strict=True)]
    assert all(begin >= shown for begin in begins[len(told) + len(cut) :])
    assert len(cut) <= 1
