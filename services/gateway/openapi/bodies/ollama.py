"""The bodies of Ollama's routes that generate and embed.

Source: Ollama `api/types.go`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from services.gateway.openapi.bodies.fields import (
    Base64,
    Flag,
    Format,
    Integer,
    JsonObject,
    JsonSchema,
    KeepAlive,
    Real,
    Text,
    Texts,
    Think,
    no_effect,
)

LOAD_TIME = "it acts when a model is loaded, so it belongs into the model; a request never causes a reload"
LoadInteger = Annotated[Integer, no_effect(LOAD_TIME)]


class OllamaOptions(msgspec.Struct, kw_only=True):
    """How to sample; what is absent is the model's own value, or else Ollama's default."""

    num_ctx: Integer = None
    num_keep: Integer = None
    num_predict: Integer = None
    seed: Integer = None
    temperature: Real = None
    top_k: Integer = None
    top_p: Real = None
    min_p: Real = None
    typical_p: Real = None
    repeat_last_n: Integer = None
    repeat_penalty: Real = None
    presence_penalty: Real = None
    frequency_penalty: Real = None
    stop: Texts = None
    reproducible: Annotated[Flag, Meta(description="Corral's own: never reuse what another generation decoded.")] = None
    num_batch: LoadInteger = None
    num_gpu: LoadInteger = None
    main_gpu: LoadInteger = None
    use_mmap: Annotated[Flag, no_effect(LOAD_TIME)] = None
    num_thread: LoadInteger = None
    draft_num_predict: LoadInteger = None


class OllamaCalledFunction(msgspec.Struct, kw_only=True):
    name: Text = None
    arguments: JsonObject | None = None
    index: Annotated[Integer, no_effect("calls have the order of the list")] = None


class OllamaToolCall(msgspec.Struct, kw_only=True):
    id: Text = None
    function: OllamaCalledFunction | None = None


class OllamaMessage(msgspec.Struct, kw_only=True):
    role: Annotated[Text, Meta(description="system, user, assistant, tool, or what the model's template knows.")] = None
    content: Text = None
    thinking: Text = None
    images: Annotated[list[Base64] | None, Meta(description="Pictures, or sound for models that hear.")] = None
    tool_calls: list[OllamaToolCall] | None = None
    tool_name: Text = None
    tool_call_id: Text = None


class OllamaFunction(msgspec.Struct, kw_only=True):
    name: Text = None
    description: Text = None
    parameters: JsonSchema | None = None


class OllamaTool(msgspec.Struct, kw_only=True):
    type: Text = None
    function: OllamaFunction | None = None


class _Generation(msgspec.Struct, kw_only=True):
    model: Text = None
    stream: Annotated[Flag, Meta(description="Absent means true.")] = None
    format: Format = None
    keep_alive: KeepAlive = None
    options: OllamaOptions | None = None
    think: Think = None
    truncate: Annotated[Flag, Meta(description="Absent means true: leave out old messages that do not fit.")] = None
    shift: Annotated[Flag, Meta(description="Go on past the end of the context by dropping the oldest tokens.")] = None
    logprobs: Flag = None
    top_logprobs: Integer = None
    _debug_render_only: Annotated[Flag, Meta(description="Show the prompt as the model would see it.")] = None


class OllamaGenerateBody(_Generation, kw_only=True):
    """Without a prompt the model is only loaded, or unloaded with a `keep_alive` of 0."""

    prompt: Text = None
    suffix: Annotated[Text, Meta(description="What follows the gap that the model is to fill.")] = None
    system: Text = None
    template: Text = None
    context: Annotated[list[int] | None, Meta(description="Tokens of an earlier reply.")] = None
    raw: Flag = None
    images: list[Base64] | None = None


class OllamaChatBody(_Generation, kw_only=True):
    """Without messages the model is only loaded, or unloaded with a `keep_alive` of 0."""

    messages: list[OllamaMessage] | None = None
    tools: list[OllamaTool] | None = None


class OllamaEmbedBody(msgspec.Struct, kw_only=True):
    model: Text = None
    input: str | list[str] | None = None
    truncate: Annotated[Flag, Meta(description="Absent means true: cut inputs that do not fit.")] = None
    dimensions: Integer = None
    keep_alive: KeepAlive = None
    options: OllamaOptions | None = None


class OllamaEmbeddingsBody(msgspec.Struct, kw_only=True):
    model: Text = None
    prompt: Text = None
    keep_alive: KeepAlive = None
    options: OllamaOptions | None = None
