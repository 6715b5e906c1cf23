"""Requests for embeddings in their three forms."""

from typing import Any

import msgspec
import pytest

from services.gateway.dialects.embeddings import EmbedCall, parse_embed, parse_embeddings, parse_openai
from shared.errors import ParameterInvalid


def body(**fields: Any) -> bytes:
    return msgspec.json.encode({"model": "m", **fields})


@pytest.mark.parametrize(
    ("given", "inputs"),
    [("a", ("a",)), (["a", "", "b"], ("a", "", "b")), ("", ()), ([], ()), (None, ())],
)
def test_embed_takes_a_text_or_a_list_and_no_input_is_a_load(given: object, inputs: tuple[str, ...]) -> None:
    assert parse_embed(body(input=given)) == EmbedCall(model="m", inputs=inputs)
    assert parse_embed(b'{"model":"m"}').inputs == ()


@pytest.mark.parametrize("given", [3, 1.5, True, {"a": 1}, ["a", 3], ["a", None], [["a"]], [[1, 2]]])
def test_embed_refuses_what_is_no_text(given: object) -> None:
    with pytest.raises(ParameterInvalid, match=r"^invalid input type$"):
        parse_embed(body(input=given))


def test_embed_reads_everything_it_documents() -> None:
    call = parse_embed(body(input="a", truncate=False, dimensions=8, keep_alive="5m", options={"num_ctx": 9}))
    assert call == EmbedCall(
        model="m", inputs=("a",), truncate=False, dimensions=8, keep_alive_s=300.0, options={"num_ctx": 9}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ({"model": 3}, "json: cannot unmarshal number into Go struct field EmbedRequest.model of type string"),
        ({"truncate": "no"}, "json: cannot unmarshal string into Go struct field EmbedRequest.truncate of type bool"),
        (
            {"dimensions": 1.5},
            "json: cannot unmarshal number 1.5 into Go struct field EmbedRequest.dimensions of type int",
        ),
        ({"keep_alive": "5"}, 'time: missing unit in duration "5"'),
    ],
)
def test_embed_refuses_wrong_types_in_gos_words(field: dict[str, object], text: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parse_embed(body(input="a", **{"model": "m", **field}) if "model" not in field else msgspec.json.encode(field))
    assert refused.value.message == text


@pytest.mark.parametrize("parse", [parse_embed, parse_embeddings])
def test_an_empty_body_is_named(parse: Any) -> None:
    with pytest.raises(ParameterInvalid, match=r"^missing request body$"):
        parse(b" ")


def test_the_older_route_takes_one_prompt() -> None:
    assert parse_embeddings(body(prompt="a", keep_alive=-1)).inputs == ("a",)
    assert parse_embeddings(body(prompt="")).inputs == ()
    with pytest.raises(ParameterInvalid, match=r"EmbeddingRequest\.prompt of type string"):
        parse_embeddings(body(prompt=["a"]))


@pytest.mark.parametrize(
    ("keep_alive", "given", "unloads"), [(0, [], True), (0, "a", False), (1, "", False), (None, "", False)]
)
def test_only_no_input_with_a_zero_keep_alive_unloads(keep_alive: object, given: object, unloads: bool) -> None:
    assert parse_embed(body(input=given, keep_alive=keep_alive)).unloads is unloads


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("a", ("a",)),
        ("", ("",)),
        (["a", "b"], ("a", "b")),
        ([1, 2, 3], ((1, 2, 3),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
    ],
)
def test_openais_input_is_texts_or_tokens(given: object, inputs: tuple[object, ...]) -> None:
    assert parse_openai(body(input=given, user="ann")).inputs == inputs


@pytest.mark.parametrize("given", [None, []])
def test_openais_input_must_be_there(given: object) -> None:
    with pytest.raises(ParameterInvalid, match=r"^invalid input$"):
        parse_openai(body(input=given))
    with pytest.raises(ParameterInvalid, match=r"^EOF$"):
        parse_openai(b"")


@pytest.mark.parametrize(
    "given",
    [3, {"a": 1}, [1, "a"], ["a", 1], [1, 2.5], [True, False], [[1], "a"], [[]], [[1], []], [-1], [2**31], [[[1]]]],
)
def test_openais_input_is_nothing_else(given: object) -> None:
    with pytest.raises(ParameterInvalid, match=r"^invalid input"):
        parse_openai(body(input=given))


@pytest.mark.parametrize(("encoding", "as_base64"), [("float", False), ("base64", True), ("", False), (None, False)])
def test_openais_encodings(encoding: str | None, as_base64: bool) -> None:
    assert parse_openai(body(input="a", encoding_format=encoding)).as_base64 is as_base64


def test_an_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parse_openai(body(input="a", encoding_format="int8"))
    assert refused.value.message == (
        "Invalid value for 'encoding_format' = int8. Supported values: ['float', 'base64']."
    )  # fmt: skip
