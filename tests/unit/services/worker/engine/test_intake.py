"""What may run, and within which limits."""

import msgspec
import pytest

from fakes.backend import FakeBackend
from fakes.engine_runs import new_sequence
from services.worker.engine.intake import TOKEN_CHARACTERS_MAX, ContextLimits, context_tokens_of, prepared
from services.worker.engine.sequence import NewSequence, Sequence
from shared.errors import ContextLengthExceeded, ParameterInvalid
from shared.options import Options

LIMITS = ContextLimits(tokens_default=100, tokens_max=400)


def prepare(new: NewSequence) -> Sequence:
    return prepared(new, FakeBackend().vocabulary, LIMITS, received_ns=0)


@pytest.mark.parametrize(("num_ctx", "tokens_max"), [(0, 100), (50, 50), (300, 300), (1000, 400)])
def test_the_context_is_what_was_asked_for_within_the_limits(num_ctx: int, tokens_max: int) -> None:
    assert prepare(new_sequence(1, "hi", options=Options(num_ctx=num_ctx))).tokens_max == tokens_max


@pytest.mark.parametrize(("num_ctx", "tokens_max"), [(0, 100), (50, 200), (300, 300), (1000, 400)])
def test_who_asks_for_a_context_gets_the_least_there_is(num_ctx: int, tokens_max: int) -> None:
    limits = ContextLimits(tokens_default=100, tokens_max=400, tokens_min=200)
    assert context_tokens_of(Options(num_ctx=num_ctx), limits) == tokens_max


def test_a_prompt_must_leave_room_for_one_token_at_least() -> None:
    assert len(prepare(new_sequence(1, "x" * 98)).prompt) == 99
    with pytest.raises(ContextLengthExceeded) as refused:
        prepare(new_sequence(1, "x" * 99))
    assert refused.value.detail == {"prompt_tokens": 100, "context_tokens": 100}


def test_a_text_far_too_long_is_refused_without_being_tokenized() -> None:
    class Untouchable:
        tokens_count = 300

        def tokenize(self, text: str, *, add_special: bool) -> list[int]:
            raise AssertionError("tokenized")

        def piece(self, token: int) -> bytes:
            raise AssertionError("unused")

        def token_of(self, text: str) -> int | None:
            raise AssertionError("unused")

        def ends_generation(self, token: int) -> bool:
            raise AssertionError("unused")

        @property
        def ending(self) -> tuple[int, ...]:
            raise AssertionError("unused")

    length = TOKEN_CHARACTERS_MAX * 101
    text, tokens = new_sequence(1, "x" * length), new_sequence(1, "x")
    for new in (text, msgspec.structs.replace(tokens, context=tuple([-1] * length))):
        with pytest.raises(ContextLengthExceeded):
            prepared(new, Untouchable(), LIMITS, received_ns=0)


def test_tokens_the_model_does_not_have_are_refused() -> None:
    with pytest.raises(ParameterInvalid):
        prepare(new_sequence(1, "hi", context=[1 << 40]))
