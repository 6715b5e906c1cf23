"""Counting a prompt's tokens on the engine: exact, at once, and without touching anybody's sequence."""

import msgspec

from fakes.backend import FakeBackend
from fakes.engine_runs import new_engine, new_sequence, run_one, run_until_idle
from services.worker.engine.intake import TOKEN_CHARACTERS_MAX
from shared.options import Options


def test_counting_tells_the_prompts_tokens_and_generates_nothing() -> None:
    backend = FakeBackend()
    outcome = run_one(new_engine(backend), msgspec.structs.replace(new_sequence(1, "hello"), count_only=True))
    assert outcome.finished is not None
    assert outcome.finished.usage.prompt_tokens == len(backend.vocabulary.tokenize("hello", add_special=True))
    assert (outcome.token_ids, outcome.finished.usage.generated_tokens, backend.batches) == ([], 0, [])


def test_a_prompt_too_long_for_its_context_is_counted_all_the_same() -> None:
    new = new_sequence(1, "x" * 300, options=Options(num_ctx=50))
    outcome = run_one(new_engine(FakeBackend()), msgspec.structs.replace(new, count_only=True))
    assert outcome.finished is not None
    assert outcome.finished.usage.prompt_tokens == 301


def test_a_text_far_too_long_is_not_tokenized_for_a_count_either() -> None:
    new = new_sequence(1, "x" * TOKEN_CHARACTERS_MAX * 51, options=Options(num_ctx=50))
    outcome = run_one(new_engine(FakeBackend()), msgspec.structs.replace(new, count_only=True))
    assert outcome.failed is not None
    assert outcome.failed.error.code == "context_length_exceeded"


def test_counting_waits_for_no_slot() -> None:
    engine = new_engine(FakeBackend(slots_count=1))
    engine.submit(new_sequence(1, "long"))
    engine.step()
    engine.submit(msgspec.structs.replace(new_sequence(2, "hi"), count_only=True))
    assert [event.sequence_id for event in engine.step() if event.sequence_id == 2] == [2]
    assert run_until_idle(engine)[1].finished is not None
