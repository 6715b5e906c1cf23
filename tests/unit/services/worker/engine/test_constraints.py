"""Constrained sequences in the engine: compiled while they wait, sampled within their constraint, failing alone."""

import msgspec

from fakes.backend import FakeBackend, OneText, saying
from fakes.engine_runs import Outcome, check_invariants, new_engine, new_sequence, run_until_idle
from services.worker.engine.loop import Engine
from services.worker.engine.sequence import NewSequence
from shared.errors import Kind, ParameterInvalid
from shared.generation import DoneReason, Sampling
from shared.options import Options

GREEDY = Options(temperature=0, num_predict=40)


def constrained(sequence_id: int, schema: str, *, options: Options = GREEDY) -> NewSequence:
    new = new_sequence(sequence_id, "hello>", options=options)
    return msgspec.structs.replace(new, sampling=Sampling(json_schema=schema))


def compile_now(backend: FakeBackend, schema: str, *, failing_after: int | None = None) -> None:
    backend.compiling[schema].set_result(OneText(schema.encode(), failing_after=failing_after))


def test_a_reply_stays_within_its_constraint_and_others_are_untouched() -> None:
    backend = FakeBackend(scores=saying(b"cab"))
    engine = new_engine(backend)
    engine.submit(constrained(1, '{"a":1}'))
    engine.submit(new_sequence(2, "hello>", options=GREEDY))
    compile_now(backend, '{"a":1}')
    outcomes = run_until_idle(engine)
    assert outcomes[1].text == '{"a":1}'
    assert outcomes[1].finished is not None
    assert outcomes[1].finished.reason is DoneReason.STOP
    assert outcomes[2].text == "cab"
    check_invariants(engine, backend)


def test_num_predict_cuts_a_constrained_reply() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    engine.submit(constrained(1, '{"a":1}', options=Options(temperature=0, num_predict=3)))
    compile_now(backend, '{"a":1}')
    outcome = run_until_idle(engine)[1]
    assert outcome.text == '{"a'
    assert outcome.finished is not None
    assert outcome.finished.reason is DoneReason.LENGTH


def test_a_stop_string_ends_a_constrained_reply() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    engine.submit(constrained(1, '{"a":1}', options=Options(temperature=0, num_predict=40, stop=('":',))))
    compile_now(backend, '{"a":1}')
    assert run_until_idle(engine)[1].text == '{"a'


def test_others_pass_a_sequence_whose_constraint_is_being_compiled() -> None:
    backend = FakeBackend(scores=saying(b"cab"))
    engine = new_engine(backend)
    engine.submit(constrained(1, "[]"))
    engine.submit(new_sequence(2, "hello>", options=GREEDY))
    outcomes = {1: Outcome(), 2: Outcome()}
    while not outcomes[2].ended:
        for event in engine.step():
            outcomes[event.sequence_id].take(event)
    assert not outcomes[1].token_ids
    assert engine.busy
    assert engine.step() == []
    compile_now(backend, "[]")
    assert run_until_idle(engine, outcomes)[1].text == "[]"


def test_a_schema_that_does_not_compile_fails_its_sequence_before_any_output() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    engine.submit(constrained(1, "[]"))
    backend.compiling["[]"].set_exception(ParameterInvalid('unimplemented: "not"'))
    outcome = run_until_idle(engine)[1]
    assert outcome.failed is not None
    assert outcome.failed.error.kind is Kind.INVALID
    assert outcome.failed.error.message == 'unimplemented: "not"'
    assert not outcome.token_ids


def test_a_constraint_that_breaks_down_fails_its_sequence_alone() -> None:
    backend = FakeBackend(scores=saying(b"cab"))
    engine = new_engine(backend)
    engine.submit(constrained(1, "[12345]"))
    engine.submit(new_sequence(2, "hello>", options=GREEDY))
    compile_now(backend, "[12345]", failing_after=2)
    outcomes = run_until_idle(engine)
    assert outcomes[1].text == "[1"
    assert outcomes[1].failed is not None
    assert outcomes[1].failed.error.message == "the output format could not be kept up: too complex"
    assert outcomes[2].text == "cab"
    check_invariants(engine, backend)


def test_a_sequence_can_be_cancelled_while_its_constraint_is_compiled() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    engine.submit(constrained(1, "[]"))
    engine.cancel(1)
    assert backend.compiling["[]"].cancelled()
    assert not engine.busy


def told_tokens(engine: Engine) -> list[bytes]:
    """The tokens whose log-probabilities sequence 1 was told, in order."""
    told: list[bytes] = []
    while engine.busy:
        for event in engine.step():
            told += [one.piece for one in getattr(event, "logprobs", ())]
    return told


def test_a_bias_changes_what_is_said() -> None:
    backend = FakeBackend(scores=saying(b"cab"))
    engine = new_engine(backend)
    new = new_sequence(1, "hello>", options=Options(temperature=0, num_predict=3))
    engine.submit(msgspec.structs.replace(new, sampling=Sampling(logit_bias={ord("z"): 50.0})))
    assert run_until_idle(engine)[1].text == "zzz"


def test_a_bias_on_a_token_the_model_does_not_have_is_refused() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    new = msgspec.structs.replace(new_sequence(1, "a"), sampling=Sampling(logit_bias={999_999: 1.0}))
    engine.submit(new)
    outcome = run_until_idle(engine)[1]
    assert outcome.failed is not None
    assert outcome.failed.error.message == "invalid logit_bias: it names tokens this model does not have"


def with_logprobs(*, stop: tuple[str, ...] = (), top: int = 2) -> NewSequence:
    options = Options(temperature=0, num_predict=40, stop=stop)
    return msgspec.structs.replace(new_sequence(1, "hello>", options=options), sampling=Sampling(top_logprobs=top))


def test_every_told_token_comes_with_its_log_probability() -> None:
    engine = new_engine(FakeBackend(scores=saying("né!".encode())))
    engine.submit(with_logprobs())
    assert told_tokens(engine) == [b"n", b"\xc3", b"\xa9", b"!"]


def test_log_probabilities_follow_what_stop_strings_hold_back_and_cut() -> None:
    engine = new_engine(FakeBackend(scores=saying(b"ab##c##"), pieces=[b"c#"]))
    engine.submit(with_logprobs(stop=("##c#",)))
    assert told_tokens(engine) == [b"a", b"b"]


def test_held_back_tokens_are_told_when_they_turn_out_to_be_no_stop_string() -> None:
    engine = new_engine(FakeBackend(scores=saying(b"a##b")))
    engine.submit(with_logprobs(stop=("##c",)))
    assert told_tokens(engine) == [b"a", b"#", b"#", b"b"]


def test_nobody_who_did_not_ask_is_told_log_probabilities() -> None:
    engine = new_engine(FakeBackend(scores=saying(b"abc")))
    engine.submit(new_sequence(1, "hello>", options=GREEDY))
    assert told_tokens(engine) == []
