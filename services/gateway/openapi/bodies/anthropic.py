"""The bodies of Anthropic's routes.

Source: Anthropic's Messages API reference; Ollama `anthropic/anthropic.go`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from services.gateway.openapi.bodies.fields import (
    Base64,
    Flag,
    JsonObject,
    JsonSchema,
    Real,
    Refused,
    Text,
    Texts,
    no_effect,
)

CacheControl = Annotated[JsonObject | None, no_effect("equal beginnings are computed once whether marked or not")]

STRICT = "a call that must be made keeps to its schema, one that may be made is as the model writes it"


class AnthropicTextBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="text"):
    text: str
    cache_control: CacheControl = None


class AnthropicImageSource(msgspec.Struct, kw_only=True):
    type: Literal["base64"]
    data: Base64
    media_type: Annotated[Text, no_effect("the picture's first bytes tell its format")] = None


class AnthropicImageBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="image"):
    source: AnthropicImageSource
    cache_control: CacheControl = None


class AnthropicToolUseBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: JsonObject | None = None
    cache_control: CacheControl = None


class AnthropicToolResultBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: str | list[AnthropicTextBlock | AnthropicImageBlock] | None = None
    is_error: Flag = None
    cache_control: CacheControl = None


class AnthropicThinkingBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="thinking"):
    thinking: str
    signature: Annotated[Text, no_effect("thoughts are taken as they come back")] = None


class AnthropicRedactedBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="redacted_thinking"):
    data: Annotated[Text, no_effect("it says nothing to a model that did not encrypt it")] = None


class AnthropicCitations(msgspec.Struct, kw_only=True):
    enabled: Annotated[Flag, Meta(description="True is refused.")] = None


class AnthropicDocumentSource(msgspec.Struct, kw_only=True):
    type: Literal["text", "content"]
    data: Annotated[Text, Meta(description="The text, for the type text.")] = None
    content: Annotated[
        str | list[AnthropicTextBlock | AnthropicImageBlock] | None, Meta(description="For the type content.")
    ] = None
    media_type: Annotated[Text, no_effect("it is text")] = None


class AnthropicDocumentBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="document"):
    source: AnthropicDocumentSource
    title: Text = None
    context: Text = None
    citations: AnthropicCitations | None = None
    cache_control: CacheControl = None


class AnthropicSearchResultBlock(msgspec.Struct, kw_only=True, tag_field="type", tag="search_result"):
    content: list[AnthropicTextBlock]
    source: Text = None
    title: Text = None
    citations: AnthropicCitations | None = None
    cache_control: CacheControl = None


AnthropicBlock = (
    AnthropicTextBlock
    | AnthropicImageBlock
    | AnthropicToolUseBlock
    | AnthropicToolResultBlock
    | AnthropicThinkingBlock
    | AnthropicRedactedBlock
    | AnthropicDocumentBlock
    | AnthropicSearchResultBlock
)


class AnthropicMessageParam(msgspec.Struct, kw_only=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[AnthropicBlock]


class AnthropicTool(msgspec.Struct, kw_only=True):
    name: Text = None
    description: Text = None
    input_schema: JsonSchema | None = None
    type: Annotated[Text, Meta(description="custom, which is what an absent one means; others are refused.")] = None
    input_examples: list[JsonObject] | None = None
    allowed_callers: Annotated[Texts, Meta(description="Must have direct in it.")] = None
    defer_loading: Annotated[Flag, Meta(description="True is refused.")] = None
    strict: Annotated[Flag, no_effect(STRICT)] = None
    eager_input_streaming: Annotated[Flag, no_effect("a call's input comes in one piece")] = None
    cache_control: CacheControl = None


class AnthropicToolChoice(msgspec.Struct, kw_only=True):
    type: Literal["auto", "any", "tool", "none"]
    name: Text = None
    disable_parallel_tool_use: Flag = None


class AnthropicThinking(msgspec.Struct, kw_only=True):
    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[
        Annotated[int, Meta(ge=1024)] | None, no_effect("thoughts count towards max_tokens like the rest of a message")
    ] = None
    display: Literal["summarized", "omitted", ""] | None = None


class AnthropicFormat(msgspec.Struct, kw_only=True):
    type: Literal["json_schema"]
    schema: JsonSchema


class AnthropicOutputConfig(msgspec.Struct, kw_only=True):
    effort: Literal["low", "medium", "high", "xhigh", "max", ""] | None = None
    format: AnthropicFormat | None = None


class AnthropicEdit(msgspec.Struct, kw_only=True):
    """Only what keeps everything is served."""

    type: str
    keep: Any = None


class AnthropicContextManagement(msgspec.Struct, kw_only=True):
    edits: list[AnthropicEdit] | None = None


class AnthropicCountBody(msgspec.Struct, kw_only=True):
    """A conversation whose tokens are to be counted."""

    model: str
    messages: Annotated[list[AnthropicMessageParam], Meta(min_length=1)]
    system: str | list[AnthropicTextBlock] | None = None
    tools: list[AnthropicTool] | None = None
    tool_choice: AnthropicToolChoice | None = None
    thinking: AnthropicThinking | None = None
    output_config: AnthropicOutputConfig | None = None
    cache_control: CacheControl = None
    output_format: Annotated[AnthropicFormat | None, Meta(description="The older name of `output_config.format`.")] = (
        None
    )
    context_management: AnthropicContextManagement | None = None
    speed: Annotated[Literal["standard", "fast", ""] | None, Meta(description="Fast is refused.")] = None
    container: Refused = None
    diagnostics: Refused = None
    inference_geo: Refused = None
    mcp_servers: Refused = None


class AnthropicMessagesBody(AnthropicCountBody, kw_only=True):
    """A conversation that is to go on."""

    max_tokens: Annotated[int, Meta(ge=1)]
    stream: Flag = None
    temperature: Real = None
    top_p: Real = None
    top_k: int | None = None
    stop_sequences: Texts = None
    metadata: Annotated[JsonObject | None, no_effect("a note about the caller's own users")] = None
    user_profile_id: Annotated[Text, no_effect("a note about the caller's own users")] = None
    service_tier: Annotated[Text, no_effect("there is one tier")] = None
