"""The OpenAPI 3.1 document, made of the described routes and the types of their bodies. Pure.

Source: OpenAPI specification 3.1.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from services.gateway import wire
from services.gateway.access import Need
from services.gateway.openapi.operation import JSON, PLAIN, Dialect, Media, Operation, Reply
from services.gateway.openapi.replies.anthropic import AnthropicError
from services.gateway.openapi.replies.corral import RegistryErrors
from services.gateway.openapi.replies.ollama import OllamaError
from services.gateway.openapi.replies.openai import OpenAiError

Json = dict[str, Any]
NeedOf = Callable[[Operation], Need]
SchemaOf = Callable[[Any], Json]

_ERROR_OF: Final[dict[Dialect, type]] = {
    Dialect.OLLAMA: OllamaError,
    Dialect.OPENAI: OpenAiError,
    Dialect.ANTHROPIC: AnthropicError,
    Dialect.REGISTRY: RegistryErrors,
    Dialect.CORRAL: OllamaError,
}
_BODY_ERRORS: Final = (400, 413, 415)
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key as `Authorization: Bearer`."},
    "x_api_key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API key."},
    "basic": {"type": "http", "scheme": "basic", "description": "An API key as the password, for registry tools."},
}
_SECURITY: Final[dict[Need, list[Json]]] = {
    Need.NOTHING: [],
    Need.KEY: [{"bearer": []}, {"x_api_key": []}],
    Need.ADMIN: [{"bearer": []}, {"x_api_key": []}],
    Need.WEIGHTS: [{"bearer": []}, {"x_api_key": []}],
    Need.REGISTRY: [{"bearer": []}, {"basic": []}],
}


def openapi_document(operations: Sequence[Operation], need_of: NeedOf, *, version: str) -> Json:
    """`need_of` says what a route asks of its caller."""
    schema_of, components = _schemas(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        described = _operation(operation, need_of(operation), schema_of)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Corral",
            "version": version,
            "description": "Local language models for a team, in the APIs of Ollama, OpenAI and Anthropic. Names of "
            "fields match in any letter case, unknown fields are ignored, and null means absent. A server that "
            "listens on its own machine only may need no key.",
        },
        "tags": [{"name": dialect.value} for dialect in Dialect],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


def _schemas(operations: Iterable[Operation]) -> tuple[SchemaOf, Json]:
    """The schema of each type that a body has, and the components it refers to."""
    types = list({repr(one): one for one in (*_media_types(operations), *_ERROR_OF.values())}.values())
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    return lambda one: by_type[repr(one)], components


def _media_types(operations: Iterable[Operation]) -> Iterable[Any]:
    for operation in operations:
        for media in (operation.body, *(one for reply in operation.replies.values() for one in reply.media)):
            if media is not None and media.type is not bytes:
                yield media.type
    yield str


def _operation(operation: Operation, need: Need, schema_of: SchemaOf) -> Json:
    error = _ERROR_OF[operation.dialect]
    described: Json = {
        "summary": operation.summary,
        "operationId": _operation_id(operation),
        "tags": [operation.dialect.value],
        "parameters": [
            *(_parameter(name, "path") for name in _PARAMETER.findall(operation.path)),
            *(_parameter(name, "query", description) for name, description in operation.query.items()),
        ],
        "responses": {
            **{str(status): _reply(reply, error, schema_of) for status, reply in operation.replies.items()},
            **{str(status): _error(operation, status, schema_of) for status in _error_statuses(operation, need)},
        },
        "security": _SECURITY[need],
    }
    if need is Need.ADMIN:
        described["description"] = "For keys with the role admin."
    if need is Need.WEIGHTS:
        described["description"] = "For keys with the role worker or admin."
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content((operation.body,), error, schema_of)}
    return described


def _operation_id(operation: Operation) -> str:
    words = re.findall(r"\w+", operation.path) or ["root"]
    return "_".join((operation.method.lower(), *words))


def _parameter(name: str, place: str, description: str = "") -> Json:
    described: Json = {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
    return {**described, "description": description} if description else described


def _error_statuses(operation: Operation, need: Need) -> list[int]:
    statuses = set(operation.errors)
    if need is not Need.NOTHING:
        statuses |= {401, 403, 503}
    if operation.body is not None:
        statuses |= set(_BODY_ERRORS)
    return sorted(statuses - set(operation.replies))


def _error(operation: Operation, status: int, schema_of: SchemaOf) -> Json:
    """An error in the dialect's shape; in plain text where no dialect is spoken."""
    in_words = Media(content_type=PLAIN, type=str)
    media = [Media(type=_ERROR_OF[operation.dialect])]
    if operation.path == "/readyz":
        media = [in_words]
    elif status == HTTPStatus.NOT_FOUND and _PARAMETER.search(operation.path):
        media.append(in_words)  # a path with a parameter that no route takes
    phrase = HTTPStatus(status).phrase
    described = Reply(description=phrase, media=() if operation.method == "HEAD" else tuple(media))
    return _reply(described, _ERROR_OF[operation.dialect], schema_of)


def _reply(reply: Reply, error: type, schema_of: SchemaOf) -> Json:
    described: Json = {"description": reply.description}
    return {**described, "content": _content(reply.media, error, schema_of)} if reply.media else described


def _content(media: Iterable[Media], error: type, schema_of: SchemaOf) -> Json:
    return {one.content_type: _media(one, schema_of(error), schema_of) for one in media}


def _media(media: Media, error: Json, schema_of: SchemaOf) -> Json:
    """The schema of a body or, for streams, of each line or event, any of which may be the error that ends them."""
    if media.type is bytes:
        return {}  # as OpenAPI 3.1 has it
    schema = schema_of(media.type)
    match media.content_type:
        case wire.NDJSON:
            schema = {"description": "Each line.", "anyOf": [schema, error]}
        case wire.EVENT_STREAM:
            schema = _event(schema, error)
    return {"schema": schema}


def _event(data: Json, error: Json) -> Json:
    """An event whose data is JSON, or the mark that ends OpenAI's streams."""
    json_data = {"type": "string", "contentMediaType": JSON, "contentSchema": {"anyOf": [data, error]}}
    return {
        "description": "Each event.",
        "type": "object",
        "required": ["data"],
        "properties": {"event": {"type": "string"}, "data": {"anyOf": [{"const": "[DONE]"}, json_data]}},
    }
