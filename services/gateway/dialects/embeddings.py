"""Requests for embeddings: `/api/embed`, its predecessor `/api/embeddings` and OpenAI's `/v1/embeddings`. Pure.

OpenAI's inputs may be tokens, which Ollama refuses; they are the model's own and taken as they are.
Source: Ollama `api/types.go`, `server/routes.go`, `middleware/openai.go`.
"""

from typing import Final

import msgspec

from services.gateway.dialects.ollama import keep_alive_s
from shared.errors import ParameterInvalid
from shared.go_json import GoFields, decode_object

_ENCODINGS: Final = ("", "float", "base64")
_TOKEN_MAX: Final = 2**31 - 1

Input = str | tuple[int, ...]


class EmbedCall(msgspec.Struct, frozen=True, kw_only=True):
    """What all three ask for. `dimensions` is how many numbers of each vector are wanted; 0 or less means all."""

    model: str
    inputs: tuple[Input, ...]
    truncate: bool = True
    dimensions: int = 0
    as_base64: bool = False
    keep_alive_s: float | None = None
    options: dict[str, object] = {}

    @property
    def unloads(self) -> bool:
        """Whether it only asks for the model to be unloaded."""
        return not self.inputs and self.keep_alive_s == 0


def parse_embed(body: bytes) -> EmbedCall:
    """Raises: ParameterInvalid, with Ollama's texts."""
    fields = GoFields("EmbedRequest", decode_object(body, go_type="api.EmbedRequest"))
    return EmbedCall(
        model=fields.text("model"),
        truncate=fields.flag("truncate") is not False,
        dimensions=fields.integer("dimensions") or 0,
        keep_alive_s=keep_alive_s(fields.anything("keep_alive")),
        options=fields.mapping("options") or {},
        inputs=_texts(fields.anything("input")),
    )


def parse_embeddings(body: bytes) -> EmbedCall:
    """Raises: ParameterInvalid, with Ollama's texts."""
    fields = GoFields("EmbeddingRequest", decode_object(body, go_type="api.EmbeddingRequest"))
    prompt = fields.text("prompt")
    return EmbedCall(
        model=fields.text("model"),
        inputs=(prompt,) if prompt else (),
        keep_alive_s=keep_alive_s(fields.anything("keep_alive")),
        options=fields.mapping("options") or {},
    )


def parse_openai(body: bytes) -> EmbedCall:
    """Raises: ParameterInvalid, with Ollama's texts where it has some."""
    if not body.strip():
        raise ParameterInvalid("EOF")
    fields = GoFields("EmbedRequest", decode_object(body, go_type="openai.EmbedRequest"))
    encoding = fields.text("encoding_format")
    if encoding.lower() not in _ENCODINGS:
        raise ParameterInvalid(
            f"Invalid value for 'encoding_format' = {encoding}. Supported values: ['float', 'base64']."
        )
    return EmbedCall(
        model=fields.text("model"),
        inputs=_openai_inputs(fields.anything("input")),
        dimensions=fields.integer("dimensions") or 0,
        as_base64=encoding.lower() == "base64",
    )


def _texts(value: object) -> tuple[str, ...]:
    match value:
        case None | "":
            return ()
        case str():
            return (value,)
        case list():
            texts = tuple(item for item in value if isinstance(item, str))
            if len(texts) == len(value):
                return texts
    raise ParameterInvalid("invalid input type")


def _openai_inputs(value: object) -> tuple[Input, ...]:
    """One text, even an empty one; a list of texts; one list of tokens; a list of such lists."""
    match value:
        case None | []:
            raise ParameterInvalid("invalid input")
        case str():
            return (value,)
        case [list(), *_]:
            return tuple(_tokens(item) for item in value)
        case [int(), *_]:
            return (_tokens(value),)
    return _texts(value)


def _tokens(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ParameterInvalid("invalid input type")
    tokens = tuple(item for item in value if type(item) is int and 0 <= item <= _TOKEN_MAX)
    if not tokens or len(tokens) < len(value):
        raise ParameterInvalid("invalid input: tokens are whole numbers from 0, at least one for each input")
    return tokens
