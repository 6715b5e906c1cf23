"""What OpenAI's routes answer."""

from typing import Any, Literal

import msgspec

from services.gateway.openapi.bodies.fields import JsonObject
from services.gateway.openapi.replies.losses import Losses


class OpenAiProblem(msgspec.Struct, kw_only=True):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiError(msgspec.Struct, kw_only=True):
    error: OpenAiProblem


class OpenAiTokenLogprob(msgspec.Struct, kw_only=True):
    token: str
    logprob: float
    bytes: list[int] | None


class OpenAiLogprob(OpenAiTokenLogprob, kw_only=True):
    top_logprobs: list[OpenAiTokenLogprob]


class OpenAiLogprobs(msgspec.Struct, kw_only=True):
    content: list[OpenAiLogprob]


class OpenAiReplyFunction(msgspec.Struct, kw_only=True):
    name: str
    arguments: str


class OpenAiReplyToolCall(msgspec.Struct, kw_only=True):
    id: str
    type: str
    function: OpenAiReplyFunction
    index: int = 0


class OpenAiReplyMessage(msgspec.Struct, kw_only=True):
    role: str
    content: str | None
    reasoning: str = ""
    tool_calls: list[OpenAiReplyToolCall] = []


class OpenAiPromptDetails(msgspec.Struct, kw_only=True):
    cached_tokens: int


class OpenAiUsage(msgspec.Struct, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: OpenAiPromptDetails


class OpenAiChatChoice(msgspec.Struct, kw_only=True):
    index: int
    message: OpenAiReplyMessage
    finish_reason: str
    logprobs: OpenAiLogprobs | None = None


class _Completion(Losses, kw_only=True):
    id: str
    created: int
    model: str
    system_fingerprint: str


class OpenAiChatReply(_Completion, kw_only=True):
    object: Literal["chat.completion"]
    choices: list[OpenAiChatChoice]
    usage: OpenAiUsage


class OpenAiDelta(msgspec.Struct, kw_only=True):
    role: str = ""
    content: str | None = None
    reasoning: str = ""
    tool_calls: list[OpenAiReplyToolCall] = []


class OpenAiChatChunkChoice(msgspec.Struct, kw_only=True):
    index: int
    delta: OpenAiDelta
    finish_reason: str | None
    logprobs: OpenAiLogprobs | None = None


class OpenAiChatChunk(_Completion, kw_only=True):
    object: Literal["chat.completion.chunk"]
    choices: list[OpenAiChatChunkChoice]
    usage: OpenAiUsage | None = None


class OpenAiTextLogprobs(msgspec.Struct, kw_only=True):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None
    text_offset: list[int]


class OpenAiTextChoice(msgspec.Struct, kw_only=True):
    text: str
    index: int
    finish_reason: str | None
    logprobs: OpenAiTextLogprobs | None = None


class OpenAiCompletionReply(_Completion, kw_only=True):
    """Whole, or a chunk of it; only the whole one and a stream's last chunk have the usage."""

    object: Literal["text_completion"]
    choices: list[OpenAiTextChoice]
    usage: OpenAiUsage | None = None


class OpenAiEmbedding(msgspec.Struct, kw_only=True):
    object: Literal["embedding"]
    embedding: list[float] | str
    index: int


class OpenAiEmbeddingsUsage(msgspec.Struct, kw_only=True):
    prompt_tokens: int
    total_tokens: int


class OpenAiEmbeddingsReply(msgspec.Struct, kw_only=True):
    object: Literal["list"]
    data: list[OpenAiEmbedding]
    model: str
    usage: OpenAiEmbeddingsUsage


class OpenAiModel(msgspec.Struct, kw_only=True):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class OpenAiModelsReply(msgspec.Struct, kw_only=True):
    """Without any model `data` is null, as Ollama has it."""

    object: Literal["list"]
    data: list[OpenAiModel] | None


class OpenAiResponse(Losses, kw_only=True):
    """A response; beside its own fields it repeats those of its request."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["completed", "incomplete", "in_progress", "failed"]
    error: JsonObject | None
    incomplete_details: JsonObject | None
    model: str
    output: list[JsonObject]
    usage: JsonObject | None
    store: bool
    tools: list[JsonObject]
    tool_choice: Any
    text: JsonObject
    metadata: dict[str, str]


class OpenAiResponseEvent(msgspec.Struct, kw_only=True):
    """The `data` of one event; `type` is its name as well."""

    type: str
    sequence_number: int


class OpenAiDeletedResponse(msgspec.Struct, kw_only=True):
    id: str
    object: str
    deleted: bool


class OpenAiItems(msgspec.Struct, kw_only=True):
    object: Literal["list"]
    data: list[JsonObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class OpenAiTranscription(msgspec.Struct, kw_only=True):
    text: str
    usage: JsonObject


class OpenAiTranscriptionEvent(msgspec.Struct, kw_only=True):
    type: Literal["transcript.text.delta", "transcript.text.done"]
    delta: str = ""
    text: str = ""
