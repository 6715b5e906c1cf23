"""Whatever is asked together, each request gets exactly the vectors it would get alone."""

from hypothesis import given
from hypothesis import strategies as st

from fakes.embedding_backend import FakeEmbeddingBackend
from services.worker.engine.embedder import Embedder
from services.worker.engine.inputs import Input, NewEmbedding
from services.worker.engine.intake import ContextLimits
from services.worker.engine.sequence import SequenceFinished, VectorsOut
from shared.options import Options

INPUTS = st.lists(
    st.one_of(st.text("ab é", max_size=20), st.lists(st.integers(0, 200), min_size=1, max_size=20).map(tuple)),
    min_size=1,
    max_size=12,
)


def answers(requests: list[list[Input]], *, batch_tokens_max: int, sequences_max: int) -> list[tuple[list[bytes], int]]:
    """Each request's vectors and the number of its tokens, all asked at once."""
    backend = FakeEmbeddingBackend(
        context_tokens=16, batch_tokens_max=batch_tokens_max, sequences_max=sequences_max
    )  # fmt: skip
    embedder = Embedder(backend, context_limits=ContextLimits(16, 16))
    for number, inputs in enumerate(requests):
        embedder.submit(
            NewEmbedding(sequence_id=number, inputs=tuple(inputs), truncate=True, options=Options())
        )  # fmt: skip
    vectors: list[list[bytes]] = [[] for _ in requests]
    tokens = [0 for _ in requests]
    for _ in range(1 + sum(map(len, requests))):
        for event in embedder.step():
            if isinstance(event, VectorsOut):
                vectors[event.sequence_id] += event.vectors
            elif isinstance(event, SequenceFinished):
                tokens[event.sequence_id] = event.usage.prompt_tokens
    assert not embedder.busy, "each pass advances at least one input"
    return list(zip(vectors, tokens, strict=True))


@given(
    requests=st.lists(INPUTS, min_size=1, max_size=5),
    batch_tokens_max=st.integers(16, 64),
    sequences_max=st.integers(1, 8),
)
def test_company_changes_nothing(requests: list[list[Input]], batch_tokens_max: int, sequences_max: int) -> None:
    together = answers(requests, batch_tokens_max=batch_tokens_max, sequences_max=sequences_max)
    alone = [answers([one], batch_tokens_max=16, sequences_max=1)[0] for one in requests]
    assert together == alone
    assert [len(vectors) for vectors, _ in together] == [len(inputs) for inputs in requests]
