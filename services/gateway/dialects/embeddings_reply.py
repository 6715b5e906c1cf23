"""Replies with embeddings. Pure.

Bodies come in parts, one for each vector, because thousands of numbers take long enough to write that whoever puts
the parts together should do something else in between.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from services.gateway import vectors
from services.gateway.dialects.embeddings import EmbedCall
from services.gateway.wire import encode


class Embedding(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker made of a call: each input's vector as it was sent, and what it took.

    `truncated_count` inputs were too long for the context and lost their end.
    """

    packed: Sequence[bytes] = ()
    prompt_tokens: int = 0
    total_ns: int = 0
    load_ns: int = 0
    truncated_count: int = 0


def embed_parts(call: EmbedCall, embedding: Embedding) -> Iterator[bytes]:
    """The body of `/api/embed`: vectors of length 1. What is zero is left out, as Ollama does.

    Raises: ParameterInvalid when a vector holds what is no number.
    """
    yield b'{"model":' + encode(call.model) + b',"embeddings":['
    yield from _listed(encode(vectors.unit(vectors.numbers(one), call.dimensions)) for one in embedding.packed)
    facts = {
        "total_duration": embedding.total_ns,
        "load_duration": embedding.load_ns,
        "prompt_eval_count": embedding.prompt_tokens,
        "truncated_inputs_count": embedding.truncated_count,
    }
    said = encode({name: value for name, value in facts.items() if value})
    yield b"]" + (b"," + said[1:] if len(said) > 2 else b"}")


def embeddings_parts(_call: EmbedCall, embedding: Embedding) -> Iterator[bytes]:
    """The body of `/api/embeddings`: the one vector as the model gives it, of any length.

    Raises: ParameterInvalid when it holds what is no number.
    """
    vector = vectors.numbers(embedding.packed[0]) if embedding.packed else ()
    yield encode({"embedding": vector})


def openai_parts(call: EmbedCall, embedding: Embedding) -> Iterator[bytes]:
    """The body of `/v1/embeddings`: vectors of length 1, as numbers or as base64 of 32-bit floats.

    Raises: ParameterInvalid when a vector holds what is no number.
    """
    yield b'{"object":"list","data":['
    yield from _listed(
        encode({"object": "embedding", "embedding": _openai_vector(call, one), "index": index})
        for index, one in enumerate(embedding.packed)
    )
    usage = {"prompt_tokens": embedding.prompt_tokens, "total_tokens": embedding.prompt_tokens}
    yield b"]," + encode({"model": call.model, "usage": usage})[1:]


def _openai_vector(call: EmbedCall, packed: bytes) -> Sequence[float] | str:
    vector = vectors.unit(vectors.numbers(packed), call.dimensions)
    return base64.b64encode(vectors.packed(vector)).decode("ascii") if call.as_base64 else vector


def _listed(items: Iterable[bytes]) -> Iterator[bytes]:
    for index, item in enumerate(items):
        yield b"," + item if index else item
