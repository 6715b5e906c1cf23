"""The bodies of OpenAI's routes for chat, text completions and embeddings.

Source: OpenAI's API reference; Ollama `openai/openai.go`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.gateway.openapi.bodies.fields import (
    Flag,
    Integer,
    JsonObject,
    JsonSchema,
    KeepAlive,
    Real,
    Refused,
    Text,
    Texts,
    no_effect,
)
from services.gateway.openapi.bodies.ollama import OllamaOptions

Stop = str | list[str] | None
Effort = Annotated[
    Literal["none", "minimal", "low", "medium", "high", "xhigh", "ultra", "max", ""] | None,
    Meta(description="Whether, and how hard, the model thinks before it answers."),
]
Note = Annotated[Text, no_effect("a note about the caller's own users; whom a request is counted for says its key")]
Stored = Annotated[Flag, no_effect("a chat is never kept")]
Metadata = Annotated[JsonObject | None, no_effect("notes of the caller's, for what OpenAI stores")]
Tier = Annotated[Text, no_effect("there is one tier")]
CacheKey = Annotated[Text, no_effect("equal beginnings are computed once whether named or not")]
Inputs = Annotated[
    str | list[str | int | list[int]],
    Meta(description="A text, a list of texts, the tokens of one, or a list of such lists; not mixed."),
]


Strict = Annotated[Flag, no_effect("what can be bound to a schema is, whether or not that is said")]


class OpenAiStreamOptions(msgspec.Struct, kw_only=True):
    include_usage: Flag = None
    include_obfuscation: Annotated[Flag, no_effect("there is no padding to leave out")] = None


class OpenAiTextPart(msgspec.Struct, kw_only=True, tag_field="type", tag="text"):
    text: str


class OpenAiRefusalPart(msgspec.Struct, kw_only=True, tag_field="type", tag="refusal"):
    refusal: str


class OpenAiImageUrl(msgspec.Struct, kw_only=True):
    url: Annotated[str, Meta(description="A data URI; nothing is ever fetched.")]
    detail: Annotated[Text, no_effect("a model sees its pictures in the one size that it was made for")] = None


class OpenAiImagePart(msgspec.Struct, kw_only=True, tag_field="type", tag="image_url"):
    image_url: OpenAiImageUrl | str


class OpenAiSound(msgspec.Struct, kw_only=True):
    data: Annotated[str, Meta(description="The sound as base64.")]
    format: Annotated[Text, no_effect("the sound's first bytes tell its format")] = None


class OpenAiSoundPart(msgspec.Struct, kw_only=True, tag_field="type", tag="input_audio"):
    input_audio: OpenAiSound


class OpenAiCalledFunction(msgspec.Struct, kw_only=True):
    name: Text = None
    arguments: Annotated[Text, Meta(description="The text of a JSON object.")] = None


class OpenAiToolCall(msgspec.Struct, kw_only=True):
    id: Text = None
    type: Annotated[Text, no_effect("functions are the only calls")] = None
    function: OpenAiCalledFunction | None = None


class OpenAiFunction(msgspec.Struct, kw_only=True):
    name: Text = None
    description: Text = None
    parameters: JsonSchema | None = None
    strict: Strict = None


class OpenAiTool(msgspec.Struct, kw_only=True):
    type: Text = None
    function: OpenAiFunction | None = None


class OpenAiNamed(msgspec.Struct, kw_only=True):
    name: str


class OpenAiToolReference(msgspec.Struct, kw_only=True, tag_field="type", tag="function"):
    function: OpenAiNamed


class OpenAiAllowedTool(msgspec.Struct, kw_only=True):
    function: OpenAiNamed
    type: Annotated[Text, no_effect("functions are the only tools")] = None


class OpenAiAllowedTools(msgspec.Struct, kw_only=True):
    mode: Literal["auto", "required"]
    tools: list[OpenAiAllowedTool]


class OpenAiAllowedChoice(msgspec.Struct, kw_only=True, tag_field="type", tag="allowed_tools"):
    allowed_tools: OpenAiAllowedTools


class OpenAiMessage(msgspec.Struct, kw_only=True):
    role: Text = None
    content: str | list[OpenAiTextPart | OpenAiRefusalPart | OpenAiImagePart | OpenAiSoundPart] | None = None
    refusal: Annotated[Text, Meta(description="What was said instead of an answer.")] = None
    reasoning: Annotated[Text, Meta(description="The thoughts of an earlier turn.")] = None
    reasoning_content: Annotated[Text, Meta(description="What other servers call `reasoning`.")] = None
    tool_calls: list[OpenAiToolCall] | None = None
    function_call: Annotated[OpenAiCalledFunction | None, Meta(description="The older form of `tool_calls`.")] = None
    tool_call_id: Text = None
    name: Annotated[Text, Meta(description="The tool whose result this is.")] = None


class OpenAiJsonSchema(msgspec.Struct, kw_only=True):
    schema: JsonSchema
    name: Annotated[Text, no_effect("the schema says it all")] = None
    description: Annotated[Text, no_effect("the schema says it all")] = None
    strict: Strict = None


class OpenAiResponseFormat(msgspec.Struct, kw_only=True):
    type: Literal["text", "json_object", "json_schema", ""] | None = None
    json_schema: OpenAiJsonSchema | None = None


class OpenAiReasoning(msgspec.Struct, kw_only=True):
    effort: Effort = None


class OpenAiTemplateSwitches(msgspec.Struct, kw_only=True):
    """What clients of other servers say to a chat template; other names are refused."""

    enable_thinking: Flag = None
    thinking: Flag = None


class _Sampled(msgspec.Struct, kw_only=True):
    model: Text = None
    stream: Flag = None
    stream_options: OpenAiStreamOptions | None = None
    max_tokens: Integer = None
    temperature: Annotated[Real, Meta(description="Absent means 1.")] = None
    top_p: Annotated[Real, Meta(description="Absent means 1.")] = None
    seed: Integer = None
    frequency_penalty: Real = None
    presence_penalty: Real = None
    stop: Stop = None
    n: Integer = None
    logit_bias: Annotated[dict[str, float] | None, Meta(description="Token ids to -100 … 100.")] = None
    user: Note = None
    top_k: Integer = None
    min_p: Real = None
    repeat_penalty: Real = None
    repetition_penalty: Annotated[Real, Meta(description="What other servers call `repeat_penalty`.")] = None
    options: Annotated[OllamaOptions | None, Meta(description="Ollama's, which the fields beside it override.")] = None
    keep_alive: KeepAlive = None


class OpenAiChatBody(_Sampled, kw_only=True):
    messages: Annotated[list[OpenAiMessage], Meta(min_length=1)]
    tools: list[OpenAiTool] | None = None
    tool_choice: Literal["none", "auto", "required", ""] | OpenAiToolReference | OpenAiAllowedChoice | None = None
    parallel_tool_calls: Flag = None
    functions: Annotated[list[OpenAiFunction] | None, Meta(description="The older form of `tools`.")] = None
    function_call: Annotated[
        Literal["none", "auto", ""] | OpenAiNamed | None, Meta(description="The older form of `tool_choice`.")
    ] = None
    max_completion_tokens: Annotated[Integer, Meta(description="Wins over `max_tokens`.")] = None
    response_format: OpenAiResponseFormat | None = None
    reasoning: OpenAiReasoning | None = None
    reasoning_effort: Effort = None
    logprobs: Flag = None
    top_logprobs: Annotated[Integer, Meta(description="0 … 20; needs `logprobs`.")] = None
    store: Stored = None
    metadata: Metadata = None
    service_tier: Tier = None
    prompt_cache_key: CacheKey = None
    prompt_cache_retention: CacheKey = None
    safety_identifier: Note = None
    prediction: Annotated[JsonObject | None, no_effect("it would make OpenAI faster, and changes no answer")] = None
    verbosity: Annotated[Text, no_effect("only OpenAI's own models are trained to follow it")] = None
    chat_template_kwargs: OpenAiTemplateSwitches | None = None
    modalities: Annotated[Texts, Meta(description="Text is all there is: audio is refused.")] = None
    audio: Annotated[JsonObject | None, Meta(description="Refused: answers are text.", extra={"refused": True})] = None
    web_search_options: Refused = None


class OpenAiCompletionBody(_Sampled, kw_only=True):
    prompt: Inputs | None = None
    suffix: Annotated[Text, Meta(description="What follows the gap that the model is to fill.")] = None
    echo: Flag = None
    best_of: Annotated[Integer, Meta(description="Must equal `n`: answers are not ranked.")] = None
    logprobs: Integer = None


class OpenAiEmbeddingsBody(msgspec.Struct, kw_only=True):
    model: Text = None
    input: Inputs
    dimensions: Integer = None
    encoding_format: Literal["float", "base64", ""] | None = None
    user: Note = None


class OpenAiTranscriptionForm(msgspec.Struct, kw_only=True):
    """The fields of a form."""

    file: Annotated[str, Meta(description="The recording: WAV, MP3 or FLAC.", extra_json_schema={"format": "binary"})]
    model: str
    language: Text = None
    prompt: Annotated[Text, Meta(description="Hints about wording.")] = None
    response_format: Literal["json", "text", ""] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    stream: Literal["true", "false", ""] | None = None
