"""What a JSON schema allows next, over a byte-level vocabulary and over a SentencePiece one."""

import json
from collections.abc import Iterator
from functools import lru_cache

import pytest

from fakes.constrained_text import random_output
from fakes.gguf_files import real_model
from fakes.llama_models import write_llama
from services.worker.engine.backend import Constraint, ConstraintFailed
from services.worker.llama.constraint import WHITESPACE_CHARACTERS_MAX
from services.worker.llama.model import LlamaBackend
from services.worker.llama.params import LlamaParams
from shared.errors import ParameterInvalid
from shared.generation import ANY_JSON_OBJECT

COMPILE_S = 30
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", params=["byte-level", "sentencepiece"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaBackend]:
    byte_level = request.param == "byte-level"
    path = real_model() if byte_level else write_llama(tmp_path_factory.mktemp("model") / "model.gguf")
    opened = LlamaBackend(
        LlamaParams(path=str(path), n_ctx_seq=64, n_seq_max=1, n_batch=64, n_threads=1, n_gpu_layers=0)
    )
    yield opened
    opened.close()


def compiled(backend: LlamaBackend, schema: object) -> Constraint:
    return backend.constraint(schema if isinstance(schema, str) else json.dumps(schema)).result(COMPILE_S)


def accepted(backend: LlamaBackend, schema: object, text: str) -> bool:
    """Whether the text may be said, in the longest tokens that are allowed, and then ended."""
    constraint = compiled(backend, schema)
    rest = text.encode()
    while rest:
        token = next_token(backend, constraint, rest)
        if token is None:
            return False
        constraint.take(token)
        rest = rest[len(backend.vocabulary.piece(token)) :]
    return ends(backend, constraint)


def next_token(backend: LlamaBackend, constraint: Constraint, text: bytes) -> int | None:
    allowed = constraint.allowed()
    known = _tokens_by_piece(backend)
    beginnings = (text[:length] for length in range(len(text), 0, -1))
    return next((known[piece] for piece in beginnings if piece in known and known[piece] in allowed), None)


def ends(backend: LlamaBackend, constraint: Constraint) -> bool:
    return any(backend.vocabulary.ends_generation(int(token)) for token in constraint.allowed())


def single_byte_token(backend: LlamaBackend, byte: int) -> int:
    return _tokens_by_piece(backend)[bytes([byte])]


@lru_cache
def _tokens_by_piece(backend: LlamaBackend) -> dict[bytes, int]:
    return {backend.vocabulary.piece(token): token for token in reversed(range(backend.vocabulary.tokens_count))}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string"}, '"aé\\n"', "1"),
        ({"type": "string", "minLength": 2, "maxLength": 3}, '"ab"', '"a"'),
        ({"type": "string", "pattern": "^a+b$"}, '"aab"', '"ba"'),
        ({"type": "string", "format": "date"}, '"2024-02-29"', '"2024-13-01"'),
        ({"type": "string", "format": "uuid"}, '"123e4567-e89b-12d3-a456-426614174000"', '"123"'),
        ({"type": "integer", "minimum": 3, "maximum": 12}, "11", "13"),
        ({"type": "number", "exclusiveMinimum": 0}, "0.5", "0"),
        ({"type": "integer", "multipleOf": 5}, "15", "7"),
        ({"type": "boolean"}, "true", "null"),
        ({"type": ["string", "null"]}, "null", "1"),
        ({"enum": ["red", 3, None]}, "3", '"blue"'),
        ({"const": {"a": 1}}, '{"a":1}', '{"a":2}'),
        ({"anyOf": [{"type": "integer"}, {"type": "array"}]}, "[]", "{}"),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, '"a"', "null"),
        ({"allOf": [{"type": "integer"}, {"minimum": 5}]}, "5", "4"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, "[[1],[]]", '[["a"]]'),
        ({"type": "array", "items": {"type": "null"}, "minItems": 1, "maxItems": 2}, "[null]", "[]"),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": False}, "[1]", "[1,2]"),
        (PERSON, '{"name":"Al","age":3}', '{"name":"Al"}'),
        (PERSON, '{ "name": "Al",\n  "age": 3 }', '{"name":"Al","age":3,"b":1}'),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, '{"x":1}', '{"x":"1"}'),
        ({"type": "object", "patternProperties": {"^a": {"type": "null"}}}, '{"ab":null}', '{"ab":1}'),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, "4", '"4"'),
        (
            {"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": False},
            '{"next":{"next":{}}}',
            '{"next":1}',
        ),
        (ANY_JSON_OBJECT, '{"a":[1,{"b":null}]}', "[]"),
    ],
)
def test_a_schema_allows_what_satisfies_it_and_nothing_else(
    backend: LlamaBackend, schema: object, good: str, bad: str
) -> None:
    assert accepted(backend, schema, good)
    assert not accepted(backend, schema, bad)


def test_an_end_is_allowed_exactly_when_the_output_is_whole(backend: LlamaBackend) -> None:
    constraint = compiled(backend, PERSON)
    rest = b'{"name":"Al","age":3}'
    while rest:
        assert not ends(backend, constraint)
        token = next_token(backend, constraint, rest)
        assert token is not None
        constraint.take(token)
        rest = rest[len(backend.vocabulary.piece(token)) :]
    allowed = [int(token) for token in constraint.allowed()]
    assert allowed
    assert all(backend.vocabulary.ends_generation(token) for token in allowed)


def test_properties_come_in_the_schemas_order(backend: LlamaBackend) -> None:
    assert not accepted(backend, PERSON, '{"age":3,"name":"Al"}')


def test_whitespace_between_tokens_has_a_limit_and_there_is_none_around(backend: LlamaBackend) -> None:
    widest = " " * WHITESPACE_CHARACTERS_MAX
    assert accepted(backend, PERSON, f'{{{widest}"name":"Al","age":3}}')
    assert not accepted(backend, PERSON, f'{{{widest} "name":"Al","age":3}}')
    assert not accepted(backend, PERSON, ' {"name":"Al","age":3}')
    assert not accepted(backend, PERSON, '{"name":"Al","age":3} ')


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"not": {"type": "string"}}, '"not"'),
        ({"type": "array", "uniqueItems": True}, '"uniqueItems"'),
        ({"if": {}, "then": {}}, '"if"'),
        ({"x-guidance": {"lenient": True}, "not": {}}, '"not"'),
        ({"type": "string", "format": "shoe-size"}, "shoe-size"),
        ({"type": "shoe"}, "shoe"),
        ({"$ref": "#/nowhere"}, "/nowhere"),
        ({"$ref": "https://example.com/schema.json"}, "example.com"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
        ({"oneOf": [{"type": "string"}, {"enum": ["a"]}]}, "oneOf"),
        ({"minimum": 5, "maximum": 3, "type": "integer"}, "minimum (5)"),
        ({"enum": [f"value {number}" for number in range(100_000)]}, "too big"),
        ("[" * 2_000 + "]" * 2_000, "recursion"),
        ('{"items":' * 1_000 + "{}" + "}" * 1_000, "recursion"),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_refused_with_what_it_is_about(
    backend: LlamaBackend, schema: object, named: str
) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        compiled(backend, schema)
    assert refused.value.message.startswith("the JSON schema cannot be ")
    assert named in refused.value.message
    assert "\n" not in refused.value.message


def test_what_is_not_allowed_ends_the_constraint(backend: LlamaBackend) -> None:
    constraint = compiled(backend, PERSON)
    with pytest.raises(ConstraintFailed):
        constraint.take(single_byte_token(backend, ord("x")))
    with pytest.raises(ConstraintFailed):
        constraint.allowed()


def test_control_tokens_are_never_part_of_a_text(backend: LlamaBackend) -> None:
    constraint = compiled(backend, {"type": "string"})
    constraint.take(single_byte_token(backend, ord('"')))
    inside = {int(token) for token in constraint.allowed()}
    assert len(inside) > 100
    assert all(backend.vocabulary.piece(token) for token in inside)
    assert not any(backend.vocabulary.ends_generation(token) for token in inside)


def test_any_object_is_what_json_mode_gives(backend: LlamaBackend) -> None:
    for seed in range(5):
        text = random_output(compiled(backend, ANY_JSON_OBJECT), backend.vocabulary, seed)
        assert text is not None
        assert isinstance(json.loads(text), dict)
