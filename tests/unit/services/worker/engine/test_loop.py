"""The engine on a fake model: what callers see of admission, batching and every way to end."""

import pytest

from fakes.backend import BOS, EOS, FakeBackend, drifting_model, hashing_model, saying
from fakes.engine_runs import Outcome, check_invariants, new_engine, new_sequence, run_one, run_until_idle
from fakes.reply_alone import reply_alone
from services.worker.engine.backend import DecodeFailed, KvCacheFull
from shared.generation import DoneReason
from shared.options import Options

GREEDY = Options(temperature=0, num_predict=20)


def reason_of(outcome: Outcome) -> DoneReason:
    assert outcome.finished is not None, outcome.failed
    return outcome.finished.reason


def code_of(outcome: Outcome) -> str:
    assert outcome.failed is not None, outcome.finished
    return outcome.failed.error.code


def test_the_reply_is_the_models_own() -> None:
    backend = FakeBackend()
    outcome = run_one(new_engine(backend), new_sequence(1, "hello"))
    prompt = backend.vocabulary.tokenize("hello", add_special=True)
    assert outcome.token_ids == reply_alone(backend, prompt, GREEDY, tokens_max=256)
    assert outcome.text.encode() == bytes(outcome.token_ids)
    assert outcome.finished is not None
    assert outcome.finished.prompt_token_ids == tuple(prompt)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_replies_given_together_equal_replies_given_alone(temperature: float) -> None:
    prompts = {number: "common beginning " * (number % 3) + f"question {number}" * number for number in range(1, 10)}
    options = {number: Options(temperature=temperature, seed=number, num_predict=30) for number in prompts}
    backend = FakeBackend(scores=hashing_model(ending_one_in=40))
    engine = new_engine(backend)
    for number, prompt in prompts.items():
        engine.submit(new_sequence(number, prompt, options=options[number]))
    outcomes = run_until_idle(engine)
    for number, prompt in prompts.items():
        tokens = backend.vocabulary.tokenize(prompt, add_special=True)
        assert outcomes[number].token_ids == reply_alone(backend, tokens, options[number], tokens_max=256)
    check_invariants(engine, backend)


def test_sequences_share_their_steps() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    for number in range(4):
        engine.submit(new_sequence(number, f"{number}"))
    run_until_idle(engine)
    assert [len(batch) for batch in backend.batches].count(4) >= 15


def test_more_sequences_than_slots_wait_for_a_free_one() -> None:
    engine = new_engine(FakeBackend(slots_count=2))
    for number in range(7):
        engine.submit(new_sequence(number, f"question {number}"))
    outcomes = run_until_idle(engine)
    assert all(reason_of(outcomes[number]) is DoneReason.LENGTH for number in range(7))


def test_a_long_prompt_lets_streams_go_on_between_its_parts() -> None:
    backend = FakeBackend()
    engine = new_engine(backend, prefill_tokens=8)
    engine.submit(new_sequence(1, "hi"))
    engine.step()
    engine.submit(new_sequence(2, "x" * 100))
    for _ in range(20):
        engine.step()
    passes = [batch[0].slot for batch in backend.batches[1:]]
    assert passes == [0, 1] * 10
    assert all(len(run.tokens) <= 8 for batch in backend.batches[1:] for run in batch)


def test_a_prompt_larger_than_a_batch_is_computed_in_parts() -> None:
    backend = FakeBackend(batch_tokens_max=16)
    outcome = run_one(new_engine(backend, batch_tokens_max=16), new_sequence(1, "y" * 100))
    assert reason_of(outcome) is DoneReason.LENGTH
    assert [run.wants_logits for (run,) in backend.batches[:7]] == [False] * 6 + [True]


def test_an_end_token_stops_the_reply_and_has_no_text() -> None:
    outcome = run_one(new_engine(FakeBackend(scores=saying(b"done"))), new_sequence(1, "say>"))
    assert outcome.text == "done"
    assert outcome.token_ids == [*b"done", EOS]
    assert reason_of(outcome) is DoneReason.STOP


def test_a_stop_string_ends_the_reply_before_it() -> None:
    options = Options(temperature=0, stop=("END",))
    outcome = run_one(new_engine(FakeBackend(scores=saying(b"one END two"))), new_sequence(1, "say>", options=options))
    assert outcome.text == "one "
    assert reason_of(outcome) is DoneReason.STOP
    assert outcome.finished is not None
    assert outcome.finished.stop_string == "END"


def test_text_held_back_for_a_stop_string_is_shown_at_the_end() -> None:
    options = Options(temperature=0, stop=("ENDLESS",))
    outcome = run_one(new_engine(FakeBackend(scores=saying(b"the END"))), new_sequence(1, "say>", options=options))
    assert outcome.text == "the END"


def test_text_held_back_is_shown_when_the_length_limit_cuts_the_reply() -> None:
    options = Options(temperature=0, stop=("ENDLESS",), num_predict=6)
    outcome = run_one(new_engine(FakeBackend(scores=saying(b"the END"))), new_sequence(1, "say>", options=options))
    assert outcome.text == "the EN"
    assert reason_of(outcome) is DoneReason.LENGTH


def test_characters_whose_bytes_come_in_several_tokens_are_shown_whole() -> None:
    engine = new_engine(FakeBackend(scores=saying("né 🐎!".encode())))
    engine.submit(new_sequence(1, "say>", options=Options(temperature=0)))
    texts = []
    while engine.busy:
        texts += [event.text for event in engine.step() if hasattr(event, "text")]
    assert [text for text in texts if text] == ["n", "é", " ", "🐎", "!"]


def test_a_character_cut_by_the_length_limit_is_replaced_not_lost() -> None:
    options = Options(temperature=0, num_predict=3)
    outcome = run_one(new_engine(FakeBackend(scores=saying("🐎".encode()))), new_sequence(1, "say>", options=options))
    assert outcome.text == "\ufffd"


@pytest.mark.parametrize("num_predict", [0, -1, -2])
def test_without_a_length_limit_the_reply_goes_on_until_the_context_is_full(num_predict: int) -> None:
    backend = FakeBackend(context_tokens=32)
    outcome = run_one(new_engine(backend), new_sequence(1, "abc", options=Options(num_predict=num_predict)))
    assert reason_of(outcome) is DoneReason.LENGTH
    assert len(outcome.token_ids) == 32 - 4


def test_the_context_limits_a_reply_that_was_allowed_more() -> None:
    backend = FakeBackend(context_tokens=32)
    outcome = run_one(new_engine(backend), new_sequence(1, "abc", options=Options(num_predict=1000)))
    assert len(outcome.token_ids) == 32 - 4


def test_num_ctx_limits_a_sequence_without_touching_the_context() -> None:
    backend = FakeBackend(context_tokens=256)
    outcome = run_one(new_engine(backend), new_sequence(1, "abc", options=Options(num_ctx=10)))
    assert len(outcome.token_ids) == 10 - 4
    assert backend.context_tokens == 256


@pytest.mark.parametrize(("length", "fits"), [(254, True), (255, False)])
def test_a_prompt_that_leaves_no_room_for_a_reply_is_refused(length: int, fits: bool) -> None:
    outcome = run_one(new_engine(FakeBackend(context_tokens=256)), new_sequence(1, "p" * length))
    if fits:
        assert len(outcome.token_ids) == 1
    else:
        assert code_of(outcome) == "context_length_exceeded"


@pytest.mark.parametrize("token", [-1, 258, 2**40])
def test_a_context_with_unknown_tokens_is_refused_before_it_reaches_the_batch(token: int) -> None:
    backend = FakeBackend()
    outcome = run_one(new_engine(backend), new_sequence(1, "hi", context=(1, token)))
    assert code_of(outcome) == "parameter_invalid"
    assert backend.batches == []


def test_an_earlier_replys_context_comes_before_the_prompt() -> None:
    backend = FakeBackend()
    context = (BOS, *b"before")
    outcome = run_one(new_engine(backend), new_sequence(1, " after", context=context))
    assert outcome.finished is not None
    assert outcome.finished.prompt_token_ids == (*context, *b" after")


def test_a_second_turn_computes_only_what_is_new() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    first = run_one(engine, new_sequence(1, "a first question"))
    second = run_one(engine, new_sequence(2, "a first question" + first.text + " and another"))
    assert second.finished is not None
    # The last token of a reply is drawn but never computed.
    assert second.finished.usage.cached_tokens == 1 + len("a first question") + 20 - 1


def test_a_beginning_shared_with_a_running_sequence_is_copied_not_computed() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    beginning = "the very same long beginning of both questions; "
    engine.submit(new_sequence(1, beginning + "one"))
    engine.step()
    outcome = run_one(engine, new_sequence(2, beginning + "two"))
    assert outcome.finished is not None
    assert outcome.finished.usage.cached_tokens == 1 + len(beginning)


def test_a_reproducible_sequence_recomputes_what_others_decoded() -> None:
    def second_turn(*, reproducible: bool) -> tuple[Outcome, list[int]]:
        backend = FakeBackend(scores=drifting_model)
        engine = new_engine(backend)
        question = "a question that was asked before"
        first = run_one(engine, new_sequence(1, question))
        options = Options(temperature=0, num_predict=20, reproducible=reproducible)
        prompt = question + first.text + " and more"
        outcome = run_one(engine, new_sequence(2, prompt, options=options))
        tokens = backend.vocabulary.tokenize(prompt, add_special=True)
        return outcome, reply_alone(backend, tokens, options, tokens_max=256)

    careful, expected = second_turn(reproducible=True)
    assert careful.token_ids == expected
    assert careful.finished is not None
    assert careful.finished.usage.cached_tokens == 1 + len("a question that was asked before")
    quick, expected = second_turn(reproducible=False)
    assert quick.token_ids != expected, "the drifting model is meant to show the difference"


def test_decoded_tokens_stay_marked_when_a_sequence_goes_on_from_them() -> None:
    backend = FakeBackend(scores=drifting_model)
    engine = new_engine(backend)
    text = "a question"
    for number in range(1, 4):
        text += run_one(engine, new_sequence(number, text)).text + " more"
    options = Options(temperature=0, num_predict=20, reproducible=True)
    outcome = run_one(engine, new_sequence(9, text, options=options))
    tokens = backend.vocabulary.tokenize(text, add_special=True)
    assert outcome.token_ids == reply_alone(backend, tokens, options, tokens_max=256)


def test_a_model_that_cannot_roll_back_starts_over_and_still_answers_right() -> None:
    backend = FakeBackend(can_roll_back=False, slots_count=1)
    engine = new_engine(backend)
    run_one(engine, new_sequence(1, "the same beginning, one"))
    outcome = run_one(engine, new_sequence(2, "the same beginning, two"))
    tokens = backend.vocabulary.tokenize("the same beginning, two", add_special=True)
    assert outcome.token_ids == reply_alone(backend, tokens, GREEDY, tokens_max=256)
    assert outcome.finished is not None
    assert outcome.finished.usage.cached_tokens == 0


def test_cancelling_a_waiting_sequence_leaves_no_trace_of_it() -> None:
    backend = FakeBackend(slots_count=1)
    engine = new_engine(backend)
    engine.submit(new_sequence(1, "first"))
    engine.submit(new_sequence(2, "second"))
    engine.step()
    engine.cancel(2)
    assert set(run_until_idle(engine)) == {1}


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 12])
def test_cancelling_frees_the_slot_for_the_next_step_whatever_the_phase(steps: int) -> None:
    backend = FakeBackend(slots_count=1, batch_tokens_max=16)
    engine = new_engine(backend, batch_tokens_max=16)
    engine.submit(new_sequence(1, "l" * 60, options=Options(temperature=0)))
    engine.submit(new_sequence(2, "short"))
    for _ in range(steps):
        engine.step()
    engine.cancel(1)
    check_invariants(engine, backend)
    assert {event.sequence_id for event in engine.step()} == {2}
    outcome = run_until_idle(engine)[2]
    assert reason_of(outcome) is DoneReason.LENGTH


def test_cancelling_what_is_unknown_or_over_changes_nothing() -> None:
    engine = new_engine(FakeBackend())
    outcome = run_one(engine, new_sequence(1, "hello"))
    engine.cancel(1)
    engine.cancel(77)
    assert outcome.finished is not None
    assert not engine.busy


def test_what_a_cancelled_sequence_computed_serves_the_next() -> None:
    backend = FakeBackend(batch_tokens_max=16)
    engine = new_engine(backend, batch_tokens_max=16)
    engine.submit(new_sequence(1, "m" * 60))
    engine.step()
    engine.cancel(1)
    outcome = run_one(engine, new_sequence(2, "m" * 60))
    assert outcome.finished is not None
    assert outcome.finished.usage.cached_tokens == 16


def test_a_sequence_larger_than_the_context_makes_it_grow_once_nobody_runs() -> None:
    backend = FakeBackend(context_tokens=64)
    engine = new_engine(backend, context_tokens_max=512)
    engine.submit(new_sequence(1, "small"))
    engine.step()
    engine.submit(new_sequence(2, "large" * 40, options=Options(num_ctx=300, temperature=0, num_predict=20)))
    engine.submit(new_sequence(3, "small again"))
    outcomes = run_until_idle(engine)
    assert [reason_of(outcomes[number]) for number in (1, 2, 3)] == [DoneReason.LENGTH] * 3
    assert backend.context_tokens == 300
    check_invariants(engine, backend)


def test_no_sequence_gets_more_context_than_the_most_there_can_be() -> None:
    backend = FakeBackend(context_tokens=64)
    engine = new_engine(backend, context_tokens_max=100)
    outcome = run_one(engine, new_sequence(1, "x" * 10, options=Options(num_ctx=10_000)))
    assert len(outcome.token_ids) == 100 - 11
    assert backend.context_tokens == 100


@pytest.mark.parametrize("failure", [DecodeFailed("broken"), KvCacheFull("full")])
def test_a_failing_decode_fails_its_own_batch_and_nobody_else(failure: Exception) -> None:
    backend = FakeBackend(slots_count=2)
    engine = new_engine(backend)
    for number in range(4):
        engine.submit(new_sequence(number, f"question number {number}"))
    backend.failures = [*[None] * 7, failure]
    outcomes = run_until_idle(engine)
    assert [code_of(outcomes[number]) for number in (0, 1)] == ["runner_died"] * 2
    for number in (2, 3):
        tokens = backend.vocabulary.tokenize(f"question number {number}", add_special=True)
        assert outcomes[number].token_ids == reply_alone(backend, tokens, GREEDY, tokens_max=256)
    check_invariants(engine, backend)


def test_nothing_of_a_failed_batch_is_taken_for_cached() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    backend.failures = [None, DecodeFailed("broken")]
    run_one(engine, new_sequence(1, "the same question"))
    outcome = run_one(engine, new_sequence(2, "the same question"))
    assert outcome.finished is not None
    assert outcome.finished.usage.cached_tokens == 0


def test_usage_counts_tokens_and_splits_the_time_at_the_first_one() -> None:
    times_ns = iter(range(0, 10_000_000, 1000))
    backend = FakeBackend()
    engine = new_engine(backend)
    engine._now_ns = lambda: next(times_ns)
    outcome = run_one(engine, new_sequence(1, "hello"))
    assert outcome.finished is not None
    usage = outcome.finished.usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.generated_tokens) == (6, 0, 20)
    assert usage.prompt_ns > 0
    assert usage.decode_ns > usage.prompt_ns


def test_another_tenants_secret_is_never_served_from_the_cache() -> None:
    secret = "the launch code is 4711 and nobody else may know; "
    backend = FakeBackend()
    engine = new_engine(backend)
    run_one(engine, new_sequence(1, secret + "hello", tenant="ann"))
    curious = run_one(engine, new_sequence(2, secret + "what was it?", tenant="bob"))
    owner = run_one(engine, new_sequence(3, secret + "what was it?", tenant="ann"))
    assert curious.finished is not None
    assert curious.finished.usage.cached_tokens == 0
    assert owner.finished is not None
    assert owner.finished.usage.cached_tokens == 1 + len(secret)


def test_another_tenants_secret_stays_unseen_while_its_owner_is_still_running() -> None:
    secret = "the launch code is 4711 and nobody else may know; "
    engine = new_engine(FakeBackend())
    engine.submit(new_sequence(1, secret + "hello", tenant="ann"))
    engine.step()
    curious = run_one(engine, new_sequence(2, secret + "what was it?", tenant="bob"))
    assert curious.finished is not None
    assert curious.finished.usage.cached_tokens == 0


def test_the_models_own_beginning_serves_every_tenant_and_nothing_after_it() -> None:
    system = "You are a helpful assistant of the company. "
    engine = new_engine(FakeBackend())
    question = "my secret question is this one"
    run_one(engine, new_sequence(1, system + question, tenant="ann", shared_prefix=system))
    other = run_one(engine, new_sequence(2, system + question, tenant="bob", shared_prefix=system))
    assert other.finished is not None
    # The shared text's last token is left out: cut differently it might be another.
    assert other.finished.usage.cached_tokens == 1 + len(system) - 1


def test_a_shared_beginning_that_ends_inside_a_token_shares_only_whole_ones() -> None:
    backend = FakeBackend(pieces=(b"ly secret",))
    engine = new_engine(backend)
    system = "Answer truthful" * 3 + "ly"
    run_one(engine, new_sequence(1, system + " secret one", tenant="ann", shared_prefix=system))
    other = run_one(engine, new_sequence(2, system + " secret two", tenant="bob", shared_prefix=system))
    assert other.finished is not None
    assert other.finished.usage.cached_tokens <= 1 + len(system) - 2


def test_a_tenants_own_words_in_a_shared_slot_are_not_shared_on() -> None:
    system = "You are a helpful assistant of the company. "
    engine = new_engine(FakeBackend(slots_count=1))
    run_one(engine, new_sequence(1, system + "ann's words", tenant="ann", shared_prefix=system))
    run_one(engine, new_sequence(2, system + "bob's words", tenant="bob", shared_prefix=system))
    curious = run_one(engine, new_sequence(3, system + "bob's words", tenant="ann", shared_prefix=system))
    assert curious.finished is not None
    assert curious.finished.usage.cached_tokens <= 1 + len(system)
