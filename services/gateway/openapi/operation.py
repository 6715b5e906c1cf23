"""What the description of one route is made of. The routes themselves are listed in `routes.py`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from services.gateway import wire

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
FORM: Final = "multipart/form-data"
PLAIN: Final = "text/plain"


class Dialect(StrEnum):
    """Whose protocol a route speaks, and so the shape of its errors; also how routes are grouped."""

    OLLAMA = "Ollama"
    OPENAI = "OpenAI"
    ANTHROPIC = "Anthropic"
    REGISTRY = "Registry"
    CORRAL = "Corral"


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """A body in one content type. `type` is that of the whole body or, for streams, of each line or event."""

    content_type: str = JSON
    type: Any = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no error; without media it has no body."""

    description: str
    media: tuple[Media, ...] = ()


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `errors` are the statuses beyond those that every route with its needs may answer.

    `query` names the parameters of the query.
    """

    method: str
    path: str
    dialect: Dialect
    summary: str
    body: Media | None = None
    replies: Mapping[int, Reply] = {}
    errors: tuple[int, ...] = ()
    query: Mapping[str, str] = {}


def says(type_: Any) -> dict[int, Reply]:
    """Replies with one JSON object."""
    return {200: Reply(description="The answer.", media=(Media(type=type_),))}


def says_or_streams(whole: Any, *, chunk: Any = None, content_type: str = wire.EVENT_STREAM) -> dict[int, Reply]:
    """Replies that come whole, or as a stream of chunks."""
    stream = Media(content_type=content_type, type=chunk or whole)
    return {200: Reply(description="The answer, whole or in parts as it comes.", media=(Media(type=whole), stream))}


def text(description: str) -> Reply:
    return Reply(description=description, media=(Media(content_type=PLAIN, type=str),))


def getting(path: str, dialect: Dialect, summary: str, replies: dict[int, Reply], *errors: int) -> Operation:
    return Operation(method="GET", path=path, dialect=dialect, summary=summary, replies=replies, errors=errors)


def head_of(operation: Operation) -> Operation:
    """The same without a body."""
    replies = {status: Reply(description=reply.description) for status, reply in operation.replies.items()}
    return msgspec.structs.replace(operation, method="HEAD", replies=replies)


DONE: Final = {200: Reply(description="Done.")}
GENERATION_ERRORS: Final = (404, 500, 503, 504)
"""What a model can make of a request, or a machine of a model: wrong options, failed runs, no room in the queue."""

REGISTRY_ERRORS: Final = (500, 503)
