"""What Ollama's routes answer. Fields that are zero or empty are left out where they have a default here."""

from typing import Any

import msgspec

from services.gateway.openapi.bodies.fields import JsonObject
from services.gateway.openapi.replies.losses import Losses


class OllamaError(msgspec.Struct, kw_only=True):
    error: str


class OllamaTokenLogprob(msgspec.Struct, kw_only=True):
    token: str
    logprob: float
    bytes: list[int]


class OllamaLogprob(OllamaTokenLogprob, kw_only=True):
    top_logprobs: list[OllamaTokenLogprob] = []


class OllamaReplyFunction(msgspec.Struct, kw_only=True):
    name: str
    arguments: JsonObject
    index: int = 0


class OllamaReplyToolCall(msgspec.Struct, kw_only=True):
    function: OllamaReplyFunction
    id: str = ""


class OllamaReplyMessage(msgspec.Struct, kw_only=True):
    role: str
    content: str
    thinking: str = ""
    tool_calls: list[OllamaReplyToolCall] = []


class OllamaDebugInfo(msgspec.Struct, kw_only=True):
    """The prompt as the model would see it, instead of an answer."""

    rendered_template: str
    image_count: int = 0


class _Chunk(Losses, kw_only=True):
    """A part of an answer, or all of it. Facts come with the last; durations are nanoseconds."""

    model: str
    created_at: str
    done: bool
    done_reason: str = ""
    logprobs: tuple[OllamaLogprob, ...] = ()
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    debug_info: OllamaDebugInfo | None = msgspec.field(default=None, name="_debug_info")


class OllamaGenerateReply(_Chunk, kw_only=True):
    response: str
    thinking: str = ""
    context: tuple[int, ...] = ()


class OllamaChatReply(_Chunk, kw_only=True):
    message: OllamaReplyMessage


class OllamaEmbedReply(msgspec.Struct, kw_only=True):
    model: str
    embeddings: list[list[float]]
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    truncated_inputs_count: int = 0


class OllamaEmbeddingsReply(msgspec.Struct, kw_only=True):
    embedding: list[float]


class OllamaDetails(msgspec.Struct, kw_only=True):
    parent_model: str
    format: str
    family: str
    families: list[str] | None
    parameter_size: str
    quantization_level: str
    context_length: int = 0
    embedding_length: int = 0


class OllamaListedModel(msgspec.Struct, kw_only=True):
    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: OllamaDetails
    capabilities: list[str] = []


class OllamaTagsReply(msgspec.Struct, kw_only=True):
    models: list[OllamaListedModel]


class OllamaRunningModel(msgspec.Struct, kw_only=True):
    name: str
    model: str
    size: int
    digest: str
    details: OllamaDetails
    expires_at: str
    size_vram: int
    context_length: int


class OllamaPsReply(msgspec.Struct, kw_only=True):
    models: list[OllamaRunningModel]


class OllamaTensor(msgspec.Struct, kw_only=True):
    name: str
    type: str
    shape: list[int]


class OllamaShowReply(msgspec.Struct, kw_only=True):
    details: OllamaDetails
    model_info: JsonObject
    modified_at: str
    license: str = ""
    modelfile: str = ""
    parameters: str = ""
    template: str = ""
    system: str = ""
    messages: list[JsonObject] = []
    projector_info: dict[str, Any] = {}
    tensors: list[OllamaTensor] = []
    capabilities: list[str] = []
    requires: str = ""


class OllamaProgress(msgspec.Struct, kw_only=True):
    """One step of a pull, push or build; the last says `success`. Counts are bytes of the blob `digest`."""

    status: str = ""
    digest: str = ""
    total: int = 0
    completed: int = 0


class OllamaVersionReply(msgspec.Struct, kw_only=True):
    version: str


class OllamaCloud(msgspec.Struct, kw_only=True):
    disabled: bool
    source: str


class OllamaStatusReply(msgspec.Struct, kw_only=True):
    cloud: OllamaCloud


class OllamaRecommendationsReply(msgspec.Struct, kw_only=True):
    recommendations: list[JsonObject]
