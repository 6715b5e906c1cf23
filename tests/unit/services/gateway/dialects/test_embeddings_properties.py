"""No body makes the readers of embeddings fail otherwise than in words, and what they give is what was sent."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dialects.embeddings import parse_embed, parse_embeddings, parse_openai
from shared.errors import CorralError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ("model", "input", "prompt", "truncate", "dimensions", "keep_alive", "options", "encoding_format", "user")
)


@given(st.dictionaries(FIELDS, JSON))
def test_any_object_is_a_call_or_refused(fields: dict[str, object]) -> None:
    for parse in (parse_embed, parse_embeddings, parse_openai):
        try:
            inputs = parse(msgspec.json.encode(fields)).inputs
        except CorralError:
            continue
        assert all(isinstance(one, str | tuple) for one in inputs)


@given(
    st.one_of(
        st.lists(st.text(max_size=5), min_size=1), st.lists(st.lists(st.integers(0, 2**31 - 1), min_size=1), min_size=1)
    )
)
def test_lists_of_texts_and_of_tokens_arrive_whole(inputs: list[object]) -> None:
    call = parse_openai(msgspec.json.encode({"model": "m", "input": inputs}))
    assert [one if isinstance(one, str) else list(one) for one in call.inputs] == inputs
