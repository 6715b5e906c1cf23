"""Laws of what leaves a full context and of what is left of a prompt that is too long."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.shifting import kept_tokens, leaving_tokens, without_middle

SIZES = st.integers(1, 500)
NUM_KEEP = st.integers(-2, 600)


@given(num_keep=NUM_KEEP, prompt_tokens=SIZES, special_tokens=st.integers(0, 2), tokens_max=st.integers(2, 500))
def test_a_full_context_loses_something_and_never_what_is_kept(
    num_keep: int, prompt_tokens: int, special_tokens: int, tokens_max: int
) -> None:
    kept = kept_tokens(
        num_keep, prompt_tokens=prompt_tokens, special_tokens=special_tokens, tokens_max=tokens_max
    )  # fmt: skip
    held = tokens_max - 1
    leaving = leaving_tokens(held, kept)
    assert 0 <= kept <= prompt_tokens
    assert 1 <= leaving <= held - kept


@given(prompt=st.lists(st.integers(0, 9), min_size=1, max_size=300), num_keep=NUM_KEEP, tokens_max=SIZES)
def test_a_prompt_without_its_middle_keeps_both_ends_and_leaves_room(
    prompt: list[int], num_keep: int, tokens_max: int
) -> None:
    if len(prompt) < tokens_max:
        return
    kept = kept_tokens(num_keep, prompt_tokens=len(prompt), special_tokens=0, tokens_max=tokens_max)
    left = without_middle(prompt, kept, tokens_max=tokens_max)
    if tokens_max == 1:
        assert left == []
        return
    end = len(left) - kept
    assert left[:kept] == prompt[:kept]
    assert left[kept:] == prompt[-end:]
    assert abs(end - (tokens_max - kept) / 2) < 1
    assert len(left) < tokens_max


def test_a_negative_number_keeps_the_whole_prompt() -> None:
    assert kept_tokens(-1, prompt_tokens=20, special_tokens=1, tokens_max=100) == 20
    assert kept_tokens(4, prompt_tokens=20, special_tokens=1, tokens_max=100) == 5
    assert kept_tokens(4, prompt_tokens=2, special_tokens=1, tokens_max=100) == 2
    assert kept_tokens(-1, prompt_tokens=99, special_tokens=1, tokens_max=100) == 96
