"""A constraint that begins in the middle of the output, and special tokens whose text is shown."""

import msgspec

from fakes.backend import BOS, BOS_TEXT, EOS, Cell, FakeBackend, OneText, saying
from fakes.engine_runs import check_invariants, new_engine, new_sequence, run_until_idle
from services.worker.engine.sequence import Gate, NewSequence
from shared.generation import DoneReason, Sampling
from shared.options import Options

GREEDY = Options(temperature=0, num_predict=40)
SCHEMA = '{"a":1}'


def gated(text: str) -> NewSequence:
    new = new_sequence(1, "hello>", options=GREEDY)
    return msgspec.structs.replace(new, sampling=Sampling(json_schema=SCHEMA), constrain_after=text)


def test_a_gate_opens_when_its_text_is_complete_however_it_arrives() -> None:
    gate = Gate("</t>")
    assert [gate.opens(part) for part in ("thin", "k<", "</", "t", ">")] == [False, False, False, False, True]
    assert Gate("</t>").opens("a</t>b")


def test_the_constraint_binds_only_what_follows_the_text_it_waits_for() -> None:
    backend = FakeBackend(scores=saying(b"let me see</t>cab"))
    engine = new_engine(backend)
    engine.submit(gated("</t>"))
    backend.compiling[SCHEMA].set_result(OneText(SCHEMA.encode()))
    outcome = run_until_idle(engine)[1]
    assert outcome.text == "let me see</t>" + SCHEMA
    assert outcome.finished is not None
    assert outcome.finished.reason is DoneReason.STOP
    check_invariants(engine, backend)


def test_the_output_cannot_end_before_its_constraint_begins() -> None:
    def scores(cells: tuple[Cell, ...]) -> dict[int, float]:
        return {EOS: 5.0, ord("|"): 1.0}

    backend = FakeBackend(scores=scores)
    engine = new_engine(backend)
    engine.submit(gated("|"))
    backend.compiling[SCHEMA].set_result(OneText(SCHEMA.encode()))
    assert run_until_idle(engine)[1].text == "|" + SCHEMA


def test_a_special_token_is_shown_only_to_those_who_asked() -> None:
    def scores(cells: tuple[Cell, ...]) -> dict[int, float]:
        return {EOS if cells[-1].token == BOS else BOS: 1.0}

    engine = new_engine(FakeBackend(scores=scores))
    plain = new_sequence(1, "hello>", options=GREEDY)
    engine.submit(plain)
    engine.submit(msgspec.structs.replace(plain, sequence_id=2, markers=(BOS_TEXT, "<no token of this model>")))
    outcomes = run_until_idle(engine)
    assert [outcomes[number].text for number in (1, 2)] == ["", BOS_TEXT]
