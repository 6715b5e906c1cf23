"""What the embedder relies on, asked of the fake backend and of llama.cpp alike.

llama.cpp has all-MiniLM-L6-v2, whose attention looks both ways, and a model that writes text, told to pool: its
attention looks back, so it has KV memory.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import llama_cpp as lib
import numpy as np
import pytest
from safetensors.numpy import load_file

from fakes.conversions import converted
from fakes.embedding_backend import FakeEmbeddingBackend
from fakes.gguf_files import real_model, text, typed
from fakes.minilm import minilm_folder
from fakes.reference_models import Array, bert_states, cosine
from fakes.tiny_checkpoints import files_of
from services.worker.engine.embedder import Embedder, EmbeddingBackend
from services.worker.engine.inputs import NewEmbedding
from services.worker.engine.intake import ContextLimits
from services.worker.engine.sequence import SequenceEvent, SequenceFinished, VectorsOut
from services.worker.llama.embedding import LlamaEmbeddingBackend
from services.worker.llama.params import LlamaParams
from shared.errors import ModelLoadFailed
from shared.options import Options

CONTEXT_TOKENS = 128
TEXTS = (
    "hello world",
    "The quick brown fox jumps over the lazy dog.",
    "a lazy animal sleeps while a fast one leaps",
    "Grüße aus München!",
    "東京は日本の首都です",
    "A longer text about nothing in particular, written so that the encoder sees more than a few tokens at once.",
)
COMPANY_COSINE_MIN = {"fake": 1 - 1e-12, "minilm": 0.999_999, "looking_back": 0.999}
"""Measured: company in a pass turns MiniLM's vectors (weights of 16 bits) by 1 - cosine = 6e-8, those of the text model
(weights of 4 bits, keys and values in a pool they share) by 2e-4. Alone, a text gives the same bits every time."""


def params(path: Path) -> LlamaParams:
    return LlamaParams(
        path=str(path), n_ctx_seq=CONTEXT_TOKENS, n_seq_max=8, n_batch=512, n_threads=1, n_gpu_layers=0, embeddings=True
    )


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's GGUF."""
    return converted(files_of(minilm_folder()), tmp_path_factory.mktemp("minilm"))


@pytest.fixture(scope="module")
def looking_back(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled text model, its vector that of the last token."""
    path = tmp_path_factory.mktemp("looking-back") / "model.gguf"
    path.write_bytes(with_pooling(real_model().read_bytes(), lib.LLAMA_POOLING_TYPE_LAST))
    return path


def with_pooling(model: bytes, pooling_type: int) -> bytes:
    """The GGUF with one key more, and a second one that keeps the tensors' data where alignment wants them."""
    added = text("llama.pooling_type") + typed("u32", pooling_type)
    filler_bytes = -(len(added) + len(text("")) + len(typed("u8", 0))) % 32
    added += text("x" * filler_bytes) + typed("u8", 0)
    (keys_count,) = struct.unpack_from("<Q", model, 16)
    return model[:16] + struct.pack("<Q", keys_count + 2) + added + model[24:]


@pytest.fixture(params=["fake", "minilm", "looking_back"])
def backend(request: pytest.FixtureRequest) -> Iterator[EmbeddingBackend]:
    if request.param == "fake":
        yield FakeEmbeddingBackend(context_tokens=CONTEXT_TOKENS, batch_tokens_max=512, sequences_max=8)
    else:
        llama = LlamaEmbeddingBackend(params(request.getfixturevalue(request.param)))
        yield llama
        llama.close()


@pytest.fixture
def cosine_min(request: pytest.FixtureRequest) -> float:
    """How far company may turn a vector of the backend under test."""
    return COMPANY_COSINE_MIN[request.node.callspec.params["backend"]]


def tokens_of(backend: EmbeddingBackend, text: str) -> list[int]:
    return backend.vocabulary.tokenize(text, add_special=True)


def numbers(vector: bytes) -> Array:
    return np.frombuffer(vector, "<f4").astype(np.float64)


def test_a_vector_is_the_same_every_time_and_hardly_moves_in_company(
    backend: EmbeddingBackend, cosine_min: float
) -> None:
    sequences = [tokens_of(backend, text) for text in TEXTS]
    alone = [backend.embed([tokens])[0] for tokens in sequences]
    assert [backend.embed([tokens])[0] for tokens in sequences] == alone
    for order in (sequences, sequences[::-1]):
        together = dict(zip(map(tuple, order), backend.embed(order), strict=True))
        for tokens, vector in zip(sequences, alone, strict=True):
            assert cosine(numbers(together[tuple(tokens)]), numbers(vector)) > cosine_min


def test_a_full_pass_and_a_full_context_are_computed(backend: EmbeddingBackend, cosine_min: float) -> None:
    token = tokens_of(backend, "hello")[-1]
    full = [token] * backend.context_tokens
    vectors = backend.embed([full] * (backend.batch_tokens_max // backend.context_tokens))
    assert cosine(numbers(vectors[0]), numbers(backend.embed([full])[0])) > cosine_min
    assert len(backend.embed([[token]] * backend.sequences_max)) == backend.sequences_max


def test_a_grown_context_takes_longer_texts_and_changes_no_vector(backend: EmbeddingBackend, cosine_min: float) -> None:
    tokens = tokens_of(backend, TEXTS[1])
    before = numbers(backend.embed([tokens])[0])
    backend.grow(CONTEXT_TOKENS * 2)
    assert backend.context_tokens == CONTEXT_TOKENS * 2
    assert cosine(numbers(backend.embed([tokens])[0]), before) > cosine_min
    assert backend.embed([tokens[:1] * backend.context_tokens])


def test_minilm_embeds_as_its_own_weights_say_whatever_shares_the_passes(minilm: Path) -> None:
    folder = minilm_folder()
    weights = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    backend = LlamaEmbeddingBackend(params(minilm))
    expected = [bert_states(config, weights, tokens_of(backend, text)).mean(0) for text in TEXTS]
    embedder = Embedder(backend, context_limits=ContextLimits(CONTEXT_TOKENS, CONTEXT_TOKENS))
    for number in (1, 2):
        embedder.submit(NewEmbedding(sequence_id=number, inputs=TEXTS, truncate=True, options=Options()))
    tokens_count = sum(len(tokens_of(backend, text)) for text in TEXTS)
    events: list[SequenceEvent] = []
    while embedder.busy:
        events += embedder.step()
    for number in (1, 2):
        told = [event for event in events if event.sequence_id == number and isinstance(event, VectorsOut)]
        vectors = [numbers(vector) for event in told for vector in event.vectors]
        assert min(cosine(one, other) for one, other in zip(vectors, expected, strict=True)) > 0.999
        (finished,) = [event for event in events if event.sequence_id == number and isinstance(event, SequenceFinished)]
        assert finished.usage.prompt_tokens == tokens_count
    backend.close()


def test_a_model_that_pools_nothing_is_refused_with_the_reason() -> None:
    with pytest.raises(ModelLoadFailed, match="no vector for a whole text"):
        LlamaEmbeddingBackend(params(real_model()))
