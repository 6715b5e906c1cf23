"""The APIs of OpenAI and Anthropic, described."""

from typing import Final

from services.gateway import wire
from services.gateway.openapi.bodies.anthropic import AnthropicCountBody, AnthropicMessagesBody
from services.gateway.openapi.bodies.openai import (
    OpenAiChatBody,
    OpenAiCompletionBody,
    OpenAiEmbeddingsBody,
    OpenAiTranscriptionForm,
)
from services.gateway.openapi.bodies.responses import OpenAiResponsesBody
from services.gateway.openapi.operation import (
    FORM,
    GENERATION_ERRORS,
    PLAIN,
    Dialect,
    Media,
    Operation,
    Reply,
    getting,
    head_of,
    says,
    says_or_streams,
)
from services.gateway.openapi.replies import anthropic, openai


def _posting(path: str, dialect: Dialect, summary: str, body: type, replies: dict[int, Reply]) -> Operation:
    return Operation(
        method="POST",
        path=path,
        dialect=dialect,
        summary=summary,
        body=Media(type=body),
        replies=replies,
        errors=GENERATION_ERRORS,
    )


_MODEL: Final = getting("/v1/models/{model}", Dialect.OPENAI, "One model.", says(openai.OpenAiModel), 400, 404, 503)
_MODELS: Final = getting("/v1/models", Dialect.OPENAI, "All models.", says(openai.OpenAiModelsReply), 503)

OPENAI_ROUTES: Final = (
    _posting(
        "/v1/chat/completions",
        Dialect.OPENAI,
        "Continue a conversation.",
        OpenAiChatBody,
        says_or_streams(openai.OpenAiChatReply, chunk=openai.OpenAiChatChunk),
    ),
    _posting(
        "/v1/completions",
        Dialect.OPENAI,
        "Continue a prompt.",
        OpenAiCompletionBody,
        says_or_streams(openai.OpenAiCompletionReply),
    ),
    _posting(
        "/v1/embeddings",
        Dialect.OPENAI,
        "Vectors of texts.",
        OpenAiEmbeddingsBody,
        says(openai.OpenAiEmbeddingsReply),
    ),
    _posting(
        "/v1/responses",
        Dialect.OPENAI,
        "Continue a conversation that the server keeps.",
        OpenAiResponsesBody,
        says_or_streams(openai.OpenAiResponse, chunk=openai.OpenAiResponseEvent),
    ),
    getting("/v1/responses/{id}", Dialect.OPENAI, "A kept response.", says(openai.OpenAiResponse), 400, 404, 503),
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
        errors=GENERATION_ERRORS,
    ),
    _MODELS,
    head_of(_MODELS),
    _MODEL,
    head_of(_MODEL),
)

ANTHROPIC_ROUTES: Final = (
    _posting(
        "/v1/messages",
        Dialect.ANTHROPIC,
        "Continue a conversation.",
        AnthropicMessagesBody,
        says_or_streams(anthropic.AnthropicMessage, chunk=anthropic.AnthropicEvent),
    ),
    _posting(
        "/v1/messages/count_tokens",
        Dialect.ANTHROPIC,
        "How many tokens a conversation has.",
        AnthropicCountBody,
        says(anthropic.AnthropicCountReply),
    ),
)
