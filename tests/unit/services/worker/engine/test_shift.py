"""The engine on a fake model whose context is full: what leaves, what stays, and what nobody else may meet."""

from fakes.backend import BOS, FakeBackend, hashing_model
from fakes.engine_runs import Outcome, check_invariants, new_engine, new_sequence, run_one, run_until_idle
from fakes.reply_alone import reply_alone
from shared.generation import DoneReason
from shared.options import Options

CONTEXT_TOKENS = 32


def options(*, num_predict: int = 100, num_keep: int = 4) -> Options:
    return Options(temperature=0, num_predict=num_predict, num_keep=num_keep)


def small(*, can_shift: bool = True) -> FakeBackend:
    return FakeBackend(slots_count=2, context_tokens=CONTEXT_TOKENS, can_shift=can_shift)


def shifted_tokens(outcome: Outcome) -> int:
    assert outcome.finished is not None, outcome.failed
    return outcome.finished.shifted_tokens


def test_a_generation_goes_on_beyond_its_context_when_it_shifts() -> None:
    backend = small()
    engine = new_engine(backend)
    outcome = run_one(engine, new_sequence(1, "hello", options=options(), shifts=True))
    prompt = backend.vocabulary.tokenize("hello", add_special=True)
    assert outcome.token_ids == reply_alone(backend, prompt, options(), tokens_max=CONTEXT_TOKENS, shifts=True)
    assert len(outcome.token_ids) == 100
    assert len(prompt) + 100 - CONTEXT_TOKENS <= shifted_tokens(outcome) < len(prompt) + 100
    check_invariants(engine, backend)


def test_without_shift_it_ends_for_want_of_room() -> None:
    outcome = run_one(new_engine(small()), new_sequence(1, "hello", options=options()))
    assert outcome.finished is not None
    assert outcome.finished.reason is DoneReason.LENGTH
    assert len(outcome.token_ids) == CONTEXT_TOKENS - len("hello") - 1
    assert shifted_tokens(outcome) == 0


def test_a_model_that_cannot_shift_ends_for_want_of_room() -> None:
    outcome = run_one(new_engine(small(can_shift=False)), new_sequence(1, "hello", options=options(), shifts=True))
    assert outcome.finished is not None
    assert outcome.finished.reason is DoneReason.LENGTH
    assert len(outcome.token_ids) == CONTEXT_TOKENS - len("hello") - 1


def test_a_generation_without_a_limit_of_its_own_ends_after_ten_contexts() -> None:
    outcome = run_one(
        new_engine(small()), new_sequence(1, "hello", options=options(num_predict=-1), shifts=True)
    )  # fmt: skip
    assert len(outcome.token_ids) == 10 * CONTEXT_TOKENS


def test_what_is_kept_stays_in_memory_and_the_older_half_of_the_rest_leaves() -> None:
    backend = small()
    engine = new_engine(backend)
    engine.submit(new_sequence(1, "hello", options=options(num_keep=3), shifts=True))
    while not backend.shifts[0]:
        engine.step()
    assert backend.tokens(0)[:4] == [BOS, *b"hel"]
    assert backend.shifts[0] == [(4, (CONTEXT_TOKENS - 1 - 4) // 2)]
    check_invariants(engine, backend)


def test_what_moved_serves_no_other_sequence_but_what_was_kept_does() -> None:
    backend = small()
    engine = new_engine(backend)
    prompt = "a rather long beginning"
    first = run_one(engine, new_sequence(1, prompt, options=options(num_keep=20), shifts=True))
    assert shifted_tokens(first)
    second = run_one(engine, new_sequence(2, prompt, options=options(num_predict=5)))
    whole = backend.vocabulary.tokenize(prompt, add_special=True)
    assert second.token_ids == reply_alone(backend, whole, options(num_predict=5), tokens_max=CONTEXT_TOKENS)
    assert second.finished is not None
    assert second.finished.usage.cached_tokens == 21


def test_a_neighbour_may_read_the_kept_beginning_while_the_shifted_one_runs() -> None:
    backend = FakeBackend(slots_count=2, context_tokens=64)
    engine = new_engine(backend)
    prompt = "the very same beginning of two long conversations"
    engine.submit(new_sequence(1, prompt, options=options(num_keep=40), shifts=True))
    while not backend.shifts[0]:
        engine.step()
    engine.submit(new_sequence(2, prompt, options=options(num_predict=8)))
    outcome = run_until_idle(engine)[2]
    whole = backend.vocabulary.tokenize(prompt, add_special=True)
    assert outcome.token_ids == reply_alone(backend, whole, options(num_predict=8), tokens_max=64)
    assert outcome.finished is not None
    assert outcome.finished.usage.cached_tokens == 41


def test_a_cancelled_sequence_that_shifted_leaves_only_what_was_kept() -> None:
    backend = small()
    engine = new_engine(backend)
    engine.submit(new_sequence(1, "hello", options=options(), shifts=True))
    while not backend.shifts[0]:
        engine.step()
    engine.cancel(1)
    assert backend.tokens(0) == [BOS, *b"hell"]
    check_invariants(engine, backend)


def test_a_prompt_that_is_too_long_loses_its_middle_where_that_is_allowed() -> None:
    backend = FakeBackend(context_tokens=CONTEXT_TOKENS, scores=hashing_model())
    prompt = "".join(chr(ord("a") + index % 26) for index in range(80))
    refused = run_one(new_engine(backend), new_sequence(1, prompt, shifts=True))
    assert refused.failed is not None
    assert refused.failed.error.code == "context_length_exceeded"
    assert refused.failed.error.detail == {"prompt_tokens": 81, "context_tokens": CONTEXT_TOKENS}
    cut = run_one(new_engine(backend), new_sequence(2, prompt, shifts=True, cuts_prompt=True))
    left = (BOS, *prompt[:4].encode(), *prompt[-13:].encode())
    assert cut.finished is not None
    assert cut.finished.prompt_token_ids == left
    assert cut.left_out_tokens == 81 - len(left)
