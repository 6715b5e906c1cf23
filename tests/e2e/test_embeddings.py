"""Embeddings with the official clients: all-MiniLM-L6-v2 imported from safetensors, on the whole cluster."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import ollama
import openai
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from fakes.minilm import minilm_folder
from fakes.reference_models import Array, bert_states, cosine, normalized
from fakes.tiny_checkpoints import files_of
from harness.cluster import MODEL, Cluster

EMBEDDER = "minilm"
TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "a lazy animal sleeps while a fast one leaps",
    "3.14159 1,000,000 42% $9.99",
]


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Iterator[ollama.Client]:
    """A client of a cluster that has the model."""
    made = ollama.Client(host=cluster.url)
    digests = {name: made.create_blob(path) for name, path in files_of(minilm_folder()).items()}
    made.create(EMBEDDER, files=digests)
    yield made
    made.embed(EMBEDDER, [], keep_alive=0)  # a deletion does not wait until the model has left the memory
    made.delete(EMBEDDER)
    made.close()  # type: ignore[no-untyped-call]


@pytest.fixture
async def sdk(cluster: Cluster, client: ollama.Client) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{cluster.url}/v1", api_key="unused", max_retries=0) as made:
        yield made


class Reference:
    """The model in numpy, and its own tokenizer."""

    def __init__(self) -> None:
        folder = minilm_folder()
        self._weights = load_file(folder / "model.safetensors")
        self._config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def vector(self, text: str) -> Array:
        mean: Array = bert_states(self._config, self._weights, self.tokens(text)).mean(0)
        return mean


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


def test_the_imported_model_says_that_it_embeds(client: ollama.Client) -> None:
    assert client.show(EMBEDDER).capabilities == ["embedding"]
    with pytest.raises(ollama.ResponseError, match='"minilm" does not support generate'):
        client.generate(EMBEDDER, "Hello")


def test_ollama_embeds_a_list_as_the_models_own_weights_say(client: ollama.Client, reference: Reference) -> None:
    reply = client.embed(EMBEDDER, TEXTS)
    assert reply.model == EMBEDDER
    assert len(reply.embeddings) == len(TEXTS)
    for text, vector in zip(TEXTS, reply.embeddings, strict=True):
        assert len(vector) == 384
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        assert cosine(vector, reference.vector(text)) > 0.999
    assert reply.prompt_eval_count == sum(len(reference.tokens(text)) for text in TEXTS)
    assert reply.total_duration
    assert reply.load_duration
    assert cosine(*reply.embeddings[:2]) > cosine(*reply.embeddings[1:]) + 0.2


def test_fewer_dimensions_are_the_first_ones_at_length_one(client: ollama.Client, reference: Reference) -> None:
    (vector,) = client.embed(EMBEDDER, TEXTS[0], dimensions=64).embeddings
    assert len(vector) == 64
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert cosine(vector, reference.vector(TEXTS[0])[:64]) > 0.999


def test_the_older_route_gives_the_models_own_vector(client: ollama.Client, reference: Reference) -> None:
    vector = client.embeddings(EMBEDDER, TEXTS[0]).embedding
    expected = reference.vector(TEXTS[0])
    assert np.linalg.norm(vector) == pytest.approx(np.linalg.norm(expected), rel=0.01)
    assert cosine(vector, expected) > 0.999


def test_a_text_too_long_is_cut_to_the_context_or_refused(client: ollama.Client, cluster: Cluster) -> None:
    long = "word " * 2000
    reply = client.embed(EMBEDDER, [long, "short"])
    assert reply.prompt_eval_count == 512 + 3
    with pytest.raises(ollama.ResponseError, match="the input length exceeds the context length") as refused:
        client.embed(EMBEDDER, [long, "short"], truncate=False)
    assert refused.value.status_code == 400
    body = {"model": EMBEDDER, "input": [long, "short"], "options": {"num_ctx": 16}}
    answered = httpx.post(f"{cluster.url}/api/embed", json=body, timeout=60)
    assert answered.json()["truncated_inputs_count"] == 1
    assert answered.headers["X-Corral-Truncated"] == "inputs=1"
    assert answered.json()["prompt_eval_count"] == 16 + 3


def test_a_model_that_writes_text_gives_no_embeddings(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match=f'"{MODEL}" does not support embeddings') as refused:
        client.embed(MODEL, "Hello")
    assert refused.value.status_code == 400
    assert client.embed(MODEL, "", keep_alive=0).embeddings == []


def test_no_input_loads_the_model_and_a_zero_keep_alive_unloads_it(client: ollama.Client) -> None:
    assert client.embed(EMBEDDER, "").embeddings == []
    assert f"{EMBEDDER}:latest" in [model.model for model in client.ps().models]
    assert client.embed(EMBEDDER, [], keep_alive=0).embeddings == []
    assert f"{EMBEDDER}:latest" not in [model.model for model in client.ps().models]


async def test_the_openai_client_embeds_texts_and_tokens_in_both_encodings(
    sdk: openai.AsyncOpenAI, reference: Reference
) -> None:
    encoded = await sdk.embeddings.create(model=EMBEDDER, input=TEXTS)  # the client asks for base64 by itself
    plain = await sdk.embeddings.create(model=EMBEDDER, input=TEXTS, encoding_format="float")
    tokens = await sdk.embeddings.create(model=EMBEDDER, input=[reference.tokens(text) for text in TEXTS])
    for reply in (encoded, plain, tokens):
        assert [one.index for one in reply.data] == [0, 1, 2]
        for text, one in zip(TEXTS, reply.data, strict=True):
            assert cosine(one.embedding, normalized(reference.vector(text))) > 0.999
        assert reply.usage.prompt_tokens == sum(len(reference.tokens(text)) for text in TEXTS)
        assert reply.usage.total_tokens == reply.usage.prompt_tokens
    short = await sdk.embeddings.create(model=EMBEDDER, input=reference.tokens(TEXTS[0]), dimensions=8, user="ann")
    assert [len(one.embedding) for one in short.data] == [8]


async def test_the_openai_client_understands_the_refusals(sdk: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match='model "nobody" not found, try pulling it first'):
        await sdk.embeddings.create(model="nobody", input="hi")
    with pytest.raises(openai.BadRequestError, match="invalid input"):
        await sdk.embeddings.create(model=EMBEDDER, input=[])
    with pytest.raises(openai.BadRequestError, match="tokens this model does not have"):
        await sdk.embeddings.create(model=EMBEDDER, input=[5, 10_000_000])


async def test_many_requests_at_once_get_what_each_gets_alone(cluster: Cluster, client: ollama.Client) -> None:
    texts = [f"text number {number} of many" for number in range(24)]
    alone = [client.embed(EMBEDDER, text).embeddings[0] for text in texts]
    with ThreadPoolExecutor(8) as threads:
        together = await asyncio.gather(
            *(asyncio.get_running_loop().run_in_executor(threads, client.embed, EMBEDDER, [text] * 3) for text in texts)
        )
    for one, reply in zip(alone, together, strict=True):
        assert min(cosine(one, vector) for vector in reply.embeddings) > 0.999_99
