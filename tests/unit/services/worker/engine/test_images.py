"""Generations whose prompts hold images: on their way in, between others, and when something is wrong with them."""

import pytest

from fakes.backend import BROKEN_IMAGE, MEDIA_TOKENS, FakeBackend
from fakes.engine_runs import check_invariants, new_engine, new_sequence, run_one, run_until_idle
from services.worker.engine.backend import DecodeFailed
from services.worker.engine.sequence import NewSequence, SequenceFinished
from shared.options import Options

TEXT = "see <__media__> there"
PROMPT_TOKENS = 1 + len("see ") + MEDIA_TOKENS + len(" there")


def seeing(
    sequence_id: int, *images: bytes, text: str = TEXT, options: Options | None = None, count_only: bool = False
) -> NewSequence:
    return NewSequence(
        sequence_id=sequence_id,
        prompt=text,
        images=images,
        tenant="ann",
        options=options or Options(temperature=0, num_predict=20),
        count_only=count_only,
    )


def test_a_prompt_with_an_image_is_computed_and_answered() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    outcome = run_one(engine, seeing(1, b"cat"))
    assert outcome.finished is not None
    assert outcome.finished.usage.prompt_tokens == PROMPT_TOKENS
    assert len(outcome.token_ids) == 20
    check_invariants(engine, backend)


def test_the_tokens_told_of_a_prompt_are_those_of_its_text() -> None:
    outcome = run_one(new_engine(FakeBackend()), seeing(1, b"cat"))
    assert outcome.finished is not None
    assert outcome.finished.prompt_token_ids[1:] == tuple(b"see  there")


def test_penalties_know_nothing_of_images() -> None:
    options = Options(temperature=0, num_predict=20, repeat_penalty=1.5, repeat_last_n=-1)
    outcome = run_one(new_engine(FakeBackend()), seeing(1, b"cat", options=options))
    assert outcome.finished is not None


def test_others_go_on_while_an_image_is_read() -> None:
    backend = FakeBackend()
    backend.holds_reading = True
    engine = new_engine(backend)
    engine.submit(seeing(1, b"cat"))
    engine.submit(new_sequence(2, "hello"))
    ended: set[int] = set()
    while 2 not in ended:
        assert engine.busy
        ended |= {event.sequence_id for event in engine.step() if isinstance(event, SequenceFinished)}
    assert ended == {2}
    backend.reading[0].set_result(backend.seen(TEXT, [b"cat"]))
    assert run_until_idle(engine)[1].finished is not None


def test_a_generation_may_be_cancelled_while_its_image_is_read() -> None:
    backend = FakeBackend()
    backend.holds_reading = True
    engine = new_engine(backend)
    engine.submit(seeing(1, b"cat"))
    engine.cancel(1)
    assert backend.reading[0].cancelled()
    assert not engine.busy


def test_a_generation_may_be_cancelled_with_half_its_images_computed() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    text = "<__media__> then <__media__>?"
    engine.submit(seeing(1, b"cat", b"dog", text=text))
    while len(backend.media_computed) < 1:
        assert engine.step() == []
    engine.cancel(1)
    check_invariants(engine, backend)
    again = run_one(engine, seeing(2, b"cat", b"dog", text=text))
    assert again.finished is not None
    assert again.finished.usage.cached_tokens == 1 + MEDIA_TOKENS
    assert len(backend.media_computed) == 2
    check_invariants(engine, backend)


def test_an_image_that_cannot_be_read_fails_its_own_generation_only() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    engine.submit(seeing(1, BROKEN_IMAGE))
    engine.submit(seeing(2, b"cat"))
    outcomes = run_until_idle(engine)
    assert outcomes[1].failed is not None
    assert outcomes[1].failed.error.code == "parameter_invalid"
    assert outcomes[2].finished is not None


def test_an_image_that_cannot_be_computed_fails_its_own_generation_only() -> None:
    backend = FakeBackend()
    engine = new_engine(backend)
    engine.submit(new_sequence(1, "hello there"))
    engine.submit(seeing(2, b"cat", text="<__media__> what?"))
    backend.media_failures = [DecodeFailed("no")]
    outcomes = run_until_idle(engine)
    assert outcomes[1].finished is not None
    assert outcomes[2].failed is not None
    assert outcomes[2].failed.error.code == "runner_died"
    check_invariants(engine, backend)


def test_images_count_against_the_context() -> None:
    options = Options(temperature=0, num_predict=1, num_ctx=PROMPT_TOKENS)
    outcome = run_one(new_engine(FakeBackend()), seeing(1, b"cat", options=options))
    assert outcome.failed is not None
    assert outcome.failed.error.code == "context_length_exceeded"
    assert outcome.failed.error.detail["prompt_tokens"] == PROMPT_TOKENS
    wider = Options(temperature=0, num_predict=1, num_ctx=PROMPT_TOKENS + 1)
    assert run_one(new_engine(FakeBackend()), seeing(1, b"cat", options=wider)).finished is not None


def test_a_prompt_that_holds_an_image_is_not_cut() -> None:
    new = seeing(1, b"cat", options=Options(temperature=0, num_ctx=PROMPT_TOKENS))
    outcome = run_one(
        new_engine(FakeBackend()),
        NewSequence(sequence_id=1, prompt=TEXT, images=new.images, tenant="ann", options=new.options, cuts_prompt=True),
    )
    assert outcome.failed is not None
    assert outcome.failed.error.code == "context_length_exceeded"


def test_tokens_of_images_are_counted_without_computing_them() -> None:
    backend = FakeBackend()
    outcome = run_one(new_engine(backend), seeing(1, b"cat", count_only=True))
    assert outcome.finished is not None
    assert outcome.finished.usage.prompt_tokens == PROMPT_TOKENS
    assert not backend.media_computed


def test_a_prompt_must_not_end_with_an_image() -> None:
    outcome = run_one(new_engine(FakeBackend()), seeing(1, b"cat", text="see <__media__>"))
    assert outcome.failed is not None
    assert outcome.failed.error.code == "parameter_invalid"


@pytest.mark.parametrize("prompts_apart", [True, False])
def test_many_with_images_and_many_without_all_get_what_they_would_alone(prompts_apart: bool) -> None:
    backend = FakeBackend(slots_count=3)
    options = Options(temperature=0, num_predict=8, reproducible=True)
    asked = [
        new_sequence(number, f"question {number % 3} of text", options=options)
        if number % 2
        else seeing(number, b"cat", b"dog" * (number % 4), text="<__media__> or <__media__> now", options=options)
        for number in range(8)
    ]
    alone = [run_one(new_engine(FakeBackend(), prompts_apart=prompts_apart), new).token_ids for new in asked]
    engine = new_engine(backend, prompts_apart=prompts_apart)
    for new in asked:
        engine.submit(new)
    together = run_until_idle(engine)
    assert [together[new.sequence_id].token_ids for new in asked] == alone
    check_invariants(engine, backend)
