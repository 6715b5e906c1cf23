"""Replies with embeddings in their three forms."""

import base64
import struct
from typing import Any

import msgspec
import pytest

from services.gateway.dialects.embeddings import EmbedCall
from services.gateway.dialects.embeddings_reply import Embedding, embed_parts, embeddings_parts, openai_parts
from shared.errors import ParameterInvalid

CALL = EmbedCall(model='a "name"', inputs=("x", "y"))


def packed(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


EMBEDDING = Embedding(packed=(packed(3, 4), packed(0, -2)), prompt_tokens=7, total_ns=20, load_ns=10)


def decoded(parts: Any) -> Any:
    return msgspec.json.decode(b"".join(parts))


def test_embed_gives_vectors_of_length_one_and_what_it_took() -> None:
    assert decoded(embed_parts(CALL, EMBEDDING)) == {
        "model": 'a "name"',
        "embeddings": [[0.6, 0.8], [0, -1]],
        "total_duration": 20,
        "load_duration": 10,
        "prompt_eval_count": 7,
    }


def test_embed_without_input_has_the_two_fields_that_clients_need() -> None:
    assert decoded(embed_parts(CALL, Embedding())) == {"model": 'a "name"', "embeddings": []}


def test_truncation_is_told() -> None:
    cut = msgspec.structs.replace(EMBEDDING, truncated_count=2)
    assert decoded(embed_parts(CALL, cut))["truncated_inputs_count"] == 2


def test_the_older_route_gives_the_vector_as_it_is() -> None:
    assert decoded(embeddings_parts(CALL, EMBEDDING)) == {"embedding": [3, 4]}
    assert decoded(embeddings_parts(CALL, Embedding())) == {"embedding": []}


def test_openais_list_counts_and_numbers_its_vectors() -> None:
    assert decoded(openai_parts(CALL, EMBEDDING)) == {
        "object": "list",
        "data": [
            {"object": "embedding", "embedding": [0.6, 0.8], "index": 0},
            {"object": "embedding", "embedding": [0, -1], "index": 1},
        ],
        "model": 'a "name"',
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def test_base64_is_of_little_endian_32_bit_floats() -> None:
    call = msgspec.structs.replace(CALL, as_base64=True)
    first, second = decoded(openai_parts(call, EMBEDDING))["data"]
    assert base64.b64decode(first["embedding"]) == packed(0.6, 0.8)
    assert base64.b64decode(second["embedding"]) == packed(0, -1)


def test_fewer_dimensions_are_cut_and_have_length_one_again() -> None:
    call = msgspec.structs.replace(CALL, dimensions=1)
    assert decoded(embed_parts(call, EMBEDDING))["embeddings"] == [[1], [0]]
    assert [one["embedding"] for one in decoded(openai_parts(call, EMBEDDING))["data"]] == [[1], [0]]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("parts", [embed_parts, embeddings_parts, openai_parts])
def test_what_is_no_number_is_refused(parts: Any, bad: float) -> None:
    with pytest.raises(ParameterInvalid, match=r"^embedding contains NaN or Inf values$"):
        list(parts(CALL, Embedding(packed=(packed(1, bad),))))
