"""Every route the gateway serves, described. A test holds this list and the application's own routes together."""

from typing import Final

from services.gateway import wire
from services.gateway.openapi.bodies.anthropic import AnthropicCountBody, AnthropicMessagesBody
from services.gateway.openapi.bodies.models import CopyBody, CreateBody, DeleteBody, KeyBody, ShowBody, TransferBody
from services.gateway.openapi.bodies.ollama import (
    OllamaChatBody,
    OllamaEmbedBody,
    OllamaEmbeddingsBody,
    OllamaGenerateBody,
)
from services.gateway.openapi.bodies.openai import (
    OpenAiChatBody,
    OpenAiCompletionBody,
    OpenAiEmbeddingsBody,
    OpenAiTranscriptionForm,
)
from services.gateway.openapi.bodies.responses import OpenAiResponsesBody
from services.gateway.openapi.operation import (
    BYTES,
    FORM,
    JSON,
    PLAIN,
    Dialect,
    Media,
    Operation,
    Reply,
    says,
    says_or_streams,
    text,
)
from services.gateway.openapi.replies import anthropic, corral, ollama, openai
from services.gateway.openapi.routes_registry import REGISTRY_ROUTES

_PROGRESS: Final = says_or_streams(ollama.OllamaProgress, content_type=wire.NDJSON)
_DONE: Final = {200: Reply(description="Done.")}
# What a model can make of a request, or a machine of a model: wrong options, failed runs, no room in the queue.
_GENERATION: Final = (404, 500, 503, 504)
_REGISTRY: Final = (500, 503)


def _ollama(path: str, summary: str, body: type, replies: dict[int, Reply], errors: tuple[int, ...]) -> Operation:
    return Operation(
        method="POST",
        path=path,
        dialect=Dialect.OLLAMA,
        summary=summary,
        body=Media(type=body),
        replies=replies,
        errors=errors,
    )


def _v1(path: str, dialect: Dialect, summary: str, body: type, replies: dict[int, Reply]) -> Operation:
    return Operation(
        method="POST",
        path=path,
        dialect=dialect,
        summary=summary,
        body=Media(type=body),
        replies=replies,
        errors=_GENERATION,
    )


def _get(path: str, dialect: Dialect, summary: str, replies: dict[int, Reply], *errors: int) -> Operation:
    return Operation(method="GET", path=path, dialect=dialect, summary=summary, replies=replies, errors=errors)


def _head(operation: Operation) -> Operation:
    """The same without a body."""
    replies = {status: Reply(description=reply.description) for status, reply in operation.replies.items()}
    return Operation(
        method="HEAD",
        path=operation.path,
        dialect=operation.dialect,
        summary=operation.summary,
        replies=replies,
        errors=operation.errors,
    )


_GREETING: Final = _get("/", Dialect.OLLAMA, "Whether a server is here.", {200: text("Ollama is running")})
_VERSION: Final = _get(
    "/api/version", Dialect.OLLAMA, "The version of Ollama's API that is spoken.", says(ollama.OllamaVersionReply)
)
_TAGS: Final = _get("/api/tags", Dialect.OLLAMA, "All models.", says(ollama.OllamaTagsReply), *_REGISTRY)

OLLAMA_ROUTES: Final = (
    _GREETING,
    _head(_GREETING),
    _VERSION,
    _head(_VERSION),
    _ollama(
        "/api/generate",
        "Continue a prompt.",
        OllamaGenerateBody,
        says_or_streams(ollama.OllamaGenerateReply, content_type=wire.NDJSON),
        _GENERATION,
    ),
    _ollama(
        "/api/chat",
        "Continue a conversation.",
        OllamaChatBody,
        says_or_streams(ollama.OllamaChatReply, content_type=wire.NDJSON),
        _GENERATION,
    ),
    _ollama("/api/embed", "Vectors of texts.", OllamaEmbedBody, says(ollama.OllamaEmbedReply), _GENERATION),
    _ollama(
        "/api/embeddings",
        "The vector of a text, as older clients ask for it.",
        OllamaEmbeddingsBody,
        says(ollama.OllamaEmbeddingsReply),
        _GENERATION,
    ),
    _TAGS,
    _head(_TAGS),
    _get("/api/ps", Dialect.OLLAMA, "The models in memory.", says(ollama.OllamaPsReply), 503),
    _ollama("/api/show", "One model in full.", ShowBody, says(ollama.OllamaShowReply), (404, *_REGISTRY)),
    _ollama("/api/create", "Make a model.", CreateBody, _PROGRESS, (404, *_REGISTRY)),
    _ollama("/api/copy", "Give a model another name.", CopyBody, _DONE, (404, *_REGISTRY)),
    Operation(
        method="DELETE",
        path="/api/delete",
        dialect=Dialect.OLLAMA,
        summary="Delete a model.",
        body=Media(type=DeleteBody),
        replies=_DONE,
        errors=(404, *_REGISTRY),
    ),
    _ollama("/api/pull", "Fetch a model from another registry.", TransferBody, _PROGRESS, (404, 409, *_REGISTRY)),
    _ollama("/api/push", "Send a model to another registry.", TransferBody, _PROGRESS, (404, 409, *_REGISTRY)),
    Operation(
        method="HEAD",
        path="/api/blobs/{digest}",
        dialect=Dialect.OLLAMA,
        summary="Whether a blob is here.",
        replies={200: Reply(description="It is.")},
        errors=(400, 404, *_REGISTRY),
    ),
    Operation(
        method="POST",
        path="/api/blobs/{digest}",
        dialect=Dialect.OLLAMA,
        summary="Upload a blob, of any size and content type.",
        body=Media(content_type=BYTES, type=bytes),
        replies={200: Reply(description="It was here."), 201: Reply(description="It was stored.")},
        errors=_REGISTRY,
    ),
    _get("/api/status", Dialect.OLLAMA, "That there is no cloud behind this server.", says(ollama.OllamaStatusReply)),
    _get(
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

_MODEL: Final = _get("/v1/models/{model}", Dialect.OPENAI, "One model.", says(openai.OpenAiModel), 400, 404, 503)
_MODELS: Final = _get("/v1/models", Dialect.OPENAI, "All models.", says(openai.OpenAiModelsReply), 503)

OPENAI_ROUTES: Final = (
    _v1(
        "/v1/chat/completions",
        Dialect.OPENAI,
        "Continue a conversation.",
        OpenAiChatBody,
        says_or_streams(openai.OpenAiChatReply, chunk=openai.OpenAiChatChunk),
    ),
    _v1(
        "/v1/completions",
        Dialect.OPENAI,
        "Continue a prompt.",
        OpenAiCompletionBody,
        says_or_streams(openai.OpenAiCompletionReply),
    ),
    _v1(
        "/v1/embeddings",
        Dialect.OPENAI,
        "Vectors of texts.",
        OpenAiEmbeddingsBody,
        says(openai.OpenAiEmbeddingsReply),
    ),
    _v1(
        "/v1/responses",
        Dialect.OPENAI,
        "Continue a conversation that the server keeps.",
        OpenAiResponsesBody,
        says_or_streams(openai.OpenAiResponse, chunk=openai.OpenAiResponseEvent),
    ),
    _get("/v1/responses/{id}", Dialect.OPENAI, "A kept response.", says(openai.OpenAiResponse), 400, 404, 503),
    Operation(
        method="DELETE",
        path="/v1/responses/{id}",
        dialect=Dialect.OPENAI,
        summary="Forget a response.",
        replies=says(openai.OpenAiDeletedResponse),
        errors=(404, 503),
    ),
    Operation(
        method="GET",
        path="/v1/responses/{id}/input_items",
        dialect=Dialect.OPENAI,
        summary="What a kept response answered.",
        replies=says(openai.OpenAiItems),
        errors=(400, 404, 503),
        query={"limit": "1 … 100.", "order": "asc or desc.", "after": "The item after which to begin."},
    ),
    Operation(
        method="POST",
        path="/v1/audio/transcriptions",
        dialect=Dialect.OPENAI,
        summary="Write down what is said in a recording.",
        body=Media(content_type=FORM, type=OpenAiTranscriptionForm),
        replies={
            200: Reply(
                description="The words, as JSON, as bare text, or in parts as they come.",
                media=(
                    Media(type=openai.OpenAiTranscription),
                    Media(content_type=PLAIN, type=str),
                    Media(content_type=wire.EVENT_STREAM, type=openai.OpenAiTranscriptionEvent),
                ),
            )
        },
        errors=_GENERATION,
    ),
    _MODELS,
    _head(_MODELS),
    _MODEL,
    _head(_MODEL),
)

ANTHROPIC_ROUTES: Final = (
    _v1(
        "/v1/messages",
        Dialect.ANTHROPIC,
        "Continue a conversation.",
        AnthropicMessagesBody,
        says_or_streams(anthropic.AnthropicMessage, chunk=anthropic.AnthropicEvent),
    ),
    _v1(
        "/v1/messages/count_tokens",
        Dialect.ANTHROPIC,
        "How many tokens a conversation has.",
        AnthropicCountBody,
        says(anthropic.AnthropicCountReply),
    ),
)

_HEALTH: Final = _get("/healthz", Dialect.CORRAL, "Whether the process lives.", {200: text("It does.")})
_READY: Final = _get("/readyz", Dialect.CORRAL, "Whether requests can be served.", {200: text("They can.")}, 503)
_METRICS: Final = _get("/metrics", Dialect.CORRAL, "Measurements for Prometheus.", {200: text("Measurements.")})
_DOCUMENT: Final = _get(
    "/openapi.json",
    Dialect.CORRAL,
    "This description.",
    {200: Reply(description="It.", media=(Media(type=dict),)), 304: Reply(description="It has not changed.")},
)

CORRAL_ROUTES: Final = (
    _get(
        "/api/queue/me", Dialect.CORRAL, "What the caller has waiting and running.", says(corral.CorralQueueReply), 503
    ),
    _get(
        "/api/transfers", Dialect.CORRAL, "Pulls and pushes under way.", says(corral.CorralTransfersReply), *_REGISTRY
    ),
    Operation(
        method="DELETE",
        path="/api/transfers/{id}",
        dialect=Dialect.CORRAL,
        summary="End a pull or push.",
        replies=_DONE,
        errors=(404, *_REGISTRY),
    ),
    _get("/api/keys", Dialect.CORRAL, "All API keys, without their secrets.", says(corral.CorralKeysReply), 503),
    Operation(
        method="POST",
        path="/api/keys",
        dialect=Dialect.CORRAL,
        summary="Make an API key, or let in the owner of an ssh key.",
        body=Media(content_type=JSON, type=KeyBody),
        replies=says(corral.CorralKey),
        errors=(409, 503),
    ),
    Operation(
        method="DELETE",
        path="/api/keys/{id}",
        dialect=Dialect.CORRAL,
        summary="Revoke an API key.",
        replies=_DONE,
        errors=(404, 503),
    ),
    *(one for operation in (_HEALTH, _READY, _METRICS, _DOCUMENT) for one in (operation, _head(operation))),
)

ROUTES: Final = (*OLLAMA_ROUTES, *OPENAI_ROUTES, *ANTHROPIC_ROUTES, *CORRAL_ROUTES, *REGISTRY_ROUTES)
