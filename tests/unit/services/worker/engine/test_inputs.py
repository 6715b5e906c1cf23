"""The tokens of one input: whole, cut or refused."""

import pytest

from fakes.backend import BOS, FakeVocabulary
from services.worker.engine.inputs import InputTokens, input_tokens, shortened
from services.worker.engine.intake import TOKEN_CHARACTERS_MAX
from shared.errors import InputTooLong, ParameterInvalid

CLS, SEP = 101, 102


def tokens_of(value: str | tuple[int, ...], *, tokens_max: int = 4, truncate: bool = True) -> InputTokens:
    return input_tokens(value, FakeVocabulary(), tokens_max=tokens_max, truncate=truncate)


def test_a_text_that_fits_exactly_is_whole() -> None:
    assert tokens_of("abc", truncate=False) == InputTokens([BOS, *b"abc"], False)


def test_one_token_more_is_cut_at_the_end_or_refused() -> None:
    assert tokens_of("abcd") == InputTokens([BOS, *b"abc"], True)
    with pytest.raises(InputTooLong, match=r"^the input length exceeds the context length$"):
        tokens_of("abcd", truncate=False)


def test_special_tokens_on_both_sides_stay_when_a_text_is_cut() -> None:
    assert shortened([CLS, 1, 2, 3, 4, SEP], [1, 2, 3, 4], 4) == [CLS, 1, 2, SEP]
    assert shortened([1, 2, 3, SEP], [1, 2, 3], 2) == [1, SEP]
    assert shortened([1, 2, 3], [1, 2, 3], 2) == [1, 2]


def test_a_context_that_the_special_tokens_fill_holds_no_input() -> None:
    with pytest.raises(ParameterInvalid, match=r"^input after truncation exceeds maximum context length$"):
        shortened([CLS, 1, 2, SEP], [1, 2], 2)


def test_tokens_are_taken_as_they_are() -> None:
    assert tokens_of((7, 8)) == InputTokens((7, 8), False)
    assert tokens_of((1, 2, 3, 4, 5)) == InputTokens((1, 2, 3, 4), True)
    with pytest.raises(InputTooLong):
        tokens_of((1, 2, 3, 4, 5), truncate=False)


@pytest.mark.parametrize("token", [-1, FakeVocabulary().tokens_count, 2**40])
def test_tokens_the_model_does_not_have_are_refused(token: int) -> None:
    with pytest.raises(ParameterInvalid, match="tokens this model does not have"):
        tokens_of((1, token))


def test_an_input_without_any_token_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="the input is empty"):
        tokens_of(())


def test_of_a_text_far_too_long_only_the_beginning_is_tokenized() -> None:
    seen: list[int] = []

    class Counting(FakeVocabulary):
        def tokenize(self, text: str, *, add_special: bool) -> list[int]:
            seen.append(len(text))
            return super().tokenize(text, add_special=add_special)

    text = "x" * (TOKEN_CHARACTERS_MAX * 1000)
    assert input_tokens(text, Counting(), tokens_max=4, truncate=True).truncated
    assert max(seen) == TOKEN_CHARACTERS_MAX * 4
    seen.clear()
    with pytest.raises(InputTooLong):
        input_tokens(text, Counting(), tokens_max=4, truncate=False)
    assert seen == []
