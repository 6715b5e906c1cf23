"""The embedder on a fake backend: batching, turns, refusals, cancels."""

from fakes.backend import BOS
from fakes.embedding_backend import FakeEmbeddingBackend, vector_of
from services.worker.engine.embedder import Embedder
from services.worker.engine.inputs import Input, NewEmbedding
from services.worker.engine.intake import ContextLimits
from services.worker.engine.sequence import SequenceEvent, SequenceFailed, SequenceFinished, VectorsOut
from shared.generation import DoneReason
from shared.options import Options


def embedder_on(backend: FakeEmbeddingBackend, *, tokens_max: int | None = None) -> Embedder:
    limits = ContextLimits(backend.context_tokens, tokens_max or backend.context_tokens)
    return Embedder(backend, context_limits=limits, now_ns=lambda: 5)


def new(sequence_id: int, *inputs: Input, truncate: bool = True, num_ctx: int = 0) -> NewEmbedding:
    return NewEmbedding(
        sequence_id=sequence_id, inputs=inputs, truncate=truncate, options=Options(num_ctx=num_ctx)
    )  # fmt: skip


def events_of(embedder: Embedder, *, steps_max: int = 1000) -> list[SequenceEvent]:
    events: list[SequenceEvent] = []
    for _ in range(steps_max):
        if not embedder.busy:
            return events
        events += embedder.step()
    raise AssertionError("it never ends")


def vectors_of(events: list[SequenceEvent], sequence_id: int) -> list[bytes]:
    return [
        vector
        for event in events
        if isinstance(event, VectorsOut) and event.sequence_id == sequence_id
        for vector in event.vectors
    ]


def test_inputs_of_one_request_share_a_pass_and_keep_their_order() -> None:
    backend = FakeEmbeddingBackend()
    embedder = embedder_on(backend)
    embedder.submit(new(1, "ab", "c", (7, 8, 9)))
    events = embedder.step()
    assert backend.passes == [[[BOS, *b"ab"], [BOS, *b"c"], [7, 8, 9]]]
    told, finished = events
    assert told == VectorsOut(1, tuple(vector_of(tokens) for tokens in backend.passes[0]), 0)
    assert isinstance(finished, SequenceFinished)
    assert (finished.reason, finished.usage.prompt_tokens) == (DoneReason.STOP, 3 + 2 + 3)
    assert not embedder.busy


def test_a_pass_holds_no_more_tokens_and_sequences_than_the_backend_takes() -> None:
    backend = FakeEmbeddingBackend(batch_tokens_max=16, sequences_max=3)
    embedder = embedder_on(backend)
    embedder.submit(new(1, "a" * 9, "b" * 5, "c" * 9, "", "", "", ""))
    events = events_of(embedder)
    assert [[len(tokens) for tokens in one] for one in backend.passes] == [[10, 6], [10, 1, 1], [1, 1]]
    assert len(vectors_of(events, 1)) == 7


def test_a_single_text_does_not_wait_for_the_end_of_a_long_list() -> None:
    backend = FakeEmbeddingBackend(sequences_max=4)
    embedder = embedder_on(backend)
    embedder.submit(new(1, *["ab"] * 100))
    embedder.step()
    embedder.submit(new(2, "hi"))
    assert vectors_of(embedder.step(), 2) == [vector_of([BOS, *b"hi"])]


def test_a_long_text_has_its_turn_among_short_ones() -> None:
    backend = FakeEmbeddingBackend(batch_tokens_max=16, sequences_max=4)
    embedder = embedder_on(backend)
    embedder.submit(new(1, *["ab"] * 40))
    embedder.submit(new(2, "x" * 15))
    events = [*embedder.step(), *embedder.step()]
    assert len(vectors_of(events, 2)) == 1


def test_a_text_too_long_is_cut_and_counted_or_ends_its_request_alone() -> None:
    embedder = embedder_on(FakeEmbeddingBackend())
    embedder.submit(new(1, "x" * 100, "ok"))
    embedder.submit(new(2, "ok", "x" * 100, truncate=False))
    events = events_of(embedder)
    assert sum(event.truncated_count for event in events if isinstance(event, VectorsOut)) == 1
    assert len(vectors_of(events, 1)) == 2
    (failed,) = [event for event in events if isinstance(event, SequenceFailed)]
    assert (failed.sequence_id, failed.error.code) == (2, "input_too_long")
    assert not any(isinstance(event, SequenceFinished) and event.sequence_id == 2 for event in events)


def test_num_ctx_limits_a_request_and_may_make_the_context_grow_but_not_beyond_the_limit() -> None:
    backend = FakeEmbeddingBackend(context_tokens=16)
    embedder = embedder_on(backend, tokens_max=32)
    embedder.submit(new(1, "x" * 40, num_ctx=8))
    assert backend.passes == []
    events_of(embedder)
    assert backend.context_tokens == 16
    embedder.submit(new(2, "x" * 40, num_ctx=1000))
    events_of(embedder)
    assert [len(one[0]) for one in backend.passes] == [8, 32]
    assert backend.context_tokens == 32


def test_a_cancelled_request_leaves_the_others_alone() -> None:
    backend = FakeEmbeddingBackend(sequences_max=1)
    embedder = embedder_on(backend)
    embedder.submit(new(1, *["ab"] * 100))
    embedder.submit(new(2, "hi"))
    embedder.step()
    embedder.cancel(1)
    embedder.cancel(99)
    assert vectors_of(events_of(embedder), 2) == [vector_of([BOS, *b"hi"])]
    assert len(backend.passes) == 2


def test_a_pass_that_fails_ends_its_requests_and_no_other() -> None:
    backend = FakeEmbeddingBackend(bad_token=ord("!"), sequences_max=1)
    embedder = embedder_on(backend)
    embedder.submit(new(1, "bad!"))
    embedder.submit(new(2, "good"))
    events = events_of(embedder)
    assert [event.sequence_id for event in events if isinstance(event, SequenceFailed)] == [1]
    assert len(vectors_of(events, 2)) == 1
