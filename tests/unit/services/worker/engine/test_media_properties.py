"""Laws of where computing may start in a prompt that holds images."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.media import Media, Part, joined, startable
from services.worker.engine.scheduler import PROMPT_TOKENS_MIN

TEXTS = st.lists(st.integers(0, 9), min_size=1, max_size=5)
SHOWN = st.builds(Media, st.text(min_size=1, max_size=3), st.integers(1, 4))


@given(parts=st.lists(st.one_of(TEXTS, SHOWN), max_size=6), last=TEXTS, data=st.data())
def test_the_rest_is_computed_as_it_would_be_without_reuse(
    parts: list[Part], last: list[int], data: st.DataObject
) -> None:
    tokens, media = joined([*parts, last])
    matched = data.draw(st.integers(0, len(tokens)))
    start = startable(matched, prompt_tokens=len(tokens), media=media)
    assert 0 <= start <= matched
    assert start < len(tokens)
    inside = {place for begin, shown in media.items() for place in range(begin + 1, begin + len(shown.tokens))}
    assert start not in inside
    borders = sorted({0, len(tokens), *media, *(begin + len(shown.tokens) for begin, shown in media.items())})
    if start not in borders:
        end = min(border for border in borders if border > start)
        assert end - start >= PROMPT_TOKENS_MIN
    assert startable(start, prompt_tokens=len(tokens), media=media) == start
