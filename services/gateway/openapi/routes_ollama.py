"""Ollama's API, described.

Source: Ollama `server/routes.go`.
"""

from typing import Final

from services.gateway import wire
from services.gateway.openapi.bodies.models import CopyBody, CreateBody, DeleteBody, ShowBody, TransferBody
from services.gateway.openapi.bodies.ollama import (
    OllamaChatBody,
    OllamaEmbedBody,
    OllamaEmbeddingsBody,
    OllamaGenerateBody,
)
from services.gateway.openapi.operation import (
    BYTES,
    DONE,
    GENERATION_ERRORS,
    REGISTRY_ERRORS,
    Dialect,
    Media,
    Operation,
    Reply,
    getting,
    head_of,
    says,
    says_or_streams,
    text,
)
from services.gateway.openapi.replies import ollama

_PROGRESS: Final = says_or_streams(ollama.OllamaProgress, content_type=wire.NDJSON)


def _posting(path: str, summary: str, body: type, replies: dict[int, Reply], errors: tuple[int, ...]) -> Operation:
    return Operation(
        method="POST",
        path=path,
        dialect=Dialect.OLLAMA,
        summary=summary,
        body=Media(type=body),
        replies=replies,
        errors=errors,
    )


_GREETING: Final = getting("/", Dialect.OLLAMA, "Whether a server is here.", {200: text("Ollama is running")})
_VERSION: Final = getting(
    "/api/version", Dialect.OLLAMA, "The version of Ollama's API that is spoken.", says(ollama.OllamaVersionReply)
)
_TAGS: Final = getting("/api/tags", Dialect.OLLAMA, "All models.", says(ollama.OllamaTagsReply), *REGISTRY_ERRORS)

OLLAMA_ROUTES: Final = (
    _GREETING,
    head_of(_GREETING),
    _VERSION,
    head_of(_VERSION),
    _posting(
        "/api/generate",
        "Continue a prompt.",
        OllamaGenerateBody,
        says_or_streams(ollama.OllamaGenerateReply, content_type=wire.NDJSON),
        GENERATION_ERRORS,
    ),
    _posting(
        "/api/chat",
        "Continue a conversation.",
        OllamaChatBody,
        says_or_streams(ollama.OllamaChatReply, content_type=wire.NDJSON),
        GENERATION_ERRORS,
    ),
    _posting("/api/embed", "Vectors of texts.", OllamaEmbedBody, says(ollama.OllamaEmbedReply), GENERATION_ERRORS),
    _posting(
        "/api/embeddings",
        "The vector of a text, as older clients ask for it.",
        OllamaEmbeddingsBody,
        says(ollama.OllamaEmbeddingsReply),
        GENERATION_ERRORS,
    ),
    _TAGS,
    head_of(_TAGS),
    getting("/api/ps", Dialect.OLLAMA, "The models in memory.", says(ollama.OllamaPsReply), 503),
    _posting("/api/show", "One model in full.", ShowBody, says(ollama.OllamaShowReply), (404, *REGISTRY_ERRORS)),
    _posting("/api/create", "Make a model.", CreateBody, _PROGRESS, (404, *REGISTRY_ERRORS)),
    _posting("/api/copy", "Give a model another name.", CopyBody, DONE, (404, *REGISTRY_ERRORS)),
    Operation(
        method="DELETE",
        path="/api/delete",
        dialect=Dialect.OLLAMA,
        summary="Delete a model.",
        body=Media(type=DeleteBody),
        replies=DONE,
        errors=(404, *REGISTRY_ERRORS),
    ),
    _posting(
        "/api/pull", "Fetch a model from another registry.", TransferBody, _PROGRESS, (404, 409, *REGISTRY_ERRORS)
    ),
    _posting("/api/push", "Send a model to another registry.", TransferBody, _PROGRESS, (404, 409, *REGISTRY_ERRORS)),
    Operation(
        method="HEAD",
        path="/api/blobs/{digest}",
        dialect=Dialect.OLLAMA,
        summary="Whether a blob is here.",
        replies={200: Reply(description="It is.")},
        errors=(400, 404, *REGISTRY_ERRORS),
    ),
    Operation(
        method="POST",
        path="/api/blobs/{digest}",
        dialect=Dialect.OLLAMA,
        summary="Upload a blob, of any size and content type.",
        body=Media(content_type=BYTES, type=bytes),
        replies={200: Reply(description="It was here."), 201: Reply(description="It was stored.")},
        errors=REGISTRY_ERRORS,
    ),
    getting(
        "/api/status", Dialect.OLLAMA, "That there is no cloud behind this server.", says(ollama.OllamaStatusReply)
    ),
    getting(
        "/api/experimental/model-recommendations",
        Dialect.OLLAMA,
        "An empty list.",
        says(ollama.OllamaRecommendationsReply),
    ),
    *(
        Operation(method=method, path=path, dialect=Dialect.OLLAMA, summary="Refused: there is no cloud.")
        for method, path in (
            ("POST", "/api/me"),
            ("POST", "/api/signout"),
            ("DELETE", "/api/user/keys/{key}"),
            ("POST", "/api/experimental/web_search"),
            ("POST", "/api/experimental/web_fetch"),
        )
    ),
)
