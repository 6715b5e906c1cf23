"""The body of OpenAI's `/v1/responses`.

Source: OpenAI's API reference (Responses); Ollama `openai/responses.go`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.gateway.openapi.bodies.fields import Flag, Integer, JsonSchema, Real, Refused, Text, Texts, no_effect
from services.gateway.openapi.bodies.openai import CacheKey, Effort, Note, Strict, Tier


class ResponsesPart(msgspec.Struct, kw_only=True):
    """Text, a refusal or a picture; files are refused."""

    type: Literal["input_text", "output_text", "refusal", "input_image"]
    text: str = ""
    refusal: str = ""
    image_url: Annotated[str, Meta(description="A data URI; nothing is ever fetched.")] = ""
    detail: Annotated[Text, no_effect("a model sees its pictures in the one size that it was made for")] = None


class ResponsesThought(msgspec.Struct, kw_only=True):
    text: Text = None
    type: Annotated[Text, no_effect("it is text")] = None


class ResponsesItem(msgspec.Struct, kw_only=True):
    """A message, a call of a tool, its output, thoughts, or a reference to an earlier item, by its `type`."""

    type: Text = None
    id: Text = None
    role: Text = None
    content: str | list[ResponsesPart] | None = None
    call_id: Text = None
    name: Text = None
    namespace: Text = None
    arguments: Annotated[Text, Meta(description="The text of a JSON object.")] = None
    output: str | list[ResponsesPart] | None = None
    encrypted_content: Text = None
    summary: list[ResponsesThought] | None = None
    status: Annotated[Text, no_effect("an item that is given is whole")] = None


class ResponsesFunction(msgspec.Struct, kw_only=True):
    type: Text = None
    name: Text = None
    description: Text = None
    parameters: JsonSchema | None = None
    strict: Flag = None


class ResponsesTool(ResponsesFunction, kw_only=True):
    """A function, or a namespace of some; tools that OpenAI runs are refused."""

    tools: Annotated[list[ResponsesFunction] | None, Meta(description="Those of a namespace.")] = None


class ResponsesAllowedTool(msgspec.Struct, kw_only=True):
    name: str
    type: Annotated[Text, no_effect("functions are the only tools")] = None


class ResponsesToolChoice(msgspec.Struct, kw_only=True):
    type: Literal["function", "allowed_tools"]
    name: Text = None
    mode: Literal["auto", "required"] | None = None
    tools: list[ResponsesAllowedTool] | None = None


class ResponsesFormat(msgspec.Struct, kw_only=True):
    type: Literal["text", "json_object", "json_schema", ""] | None = None
    schema: JsonSchema | None = None
    name: Annotated[Text, no_effect("the schema says it all")] = None
    description: Annotated[Text, no_effect("the schema says it all")] = None
    strict: Strict = None


class ResponsesText(msgspec.Struct, kw_only=True):
    format: ResponsesFormat | None = None
    verbosity: Annotated[Text, no_effect("only OpenAI's own models are trained to follow it")] = None


class ResponsesReasoning(msgspec.Struct, kw_only=True):
    effort: Effort = None
    summary: Annotated[Text, no_effect("thoughts are told as they are; there is nobody to sum them up")] = None


class ResponsesStreamOptions(msgspec.Struct, kw_only=True):
    include_obfuscation: Annotated[Flag, Meta(description="True is refused.")] = None


class OpenAiResponsesBody(msgspec.Struct, kw_only=True):
    """One of `input` and `previous_response_id` is needed."""

    model: Text = None
    input: str | list[ResponsesItem] | None = None
    previous_response_id: Text = None
    instructions: Text = None
    stream: Flag = None
    stream_options: ResponsesStreamOptions | None = None
    store: Annotated[Flag, Meta(description="Absent means true: the response can be named by later ones.")] = None
    max_output_tokens: Integer = None
    temperature: Annotated[Real, Meta(description="Absent means 1.")] = None
    top_p: Real = None
    top_logprobs: Integer = None
    include: Texts = None
    reasoning: ResponsesReasoning | None = None
    text: ResponsesText | None = None
    tools: list[ResponsesTool] | None = None
    tool_choice: Literal["none", "auto", "required", ""] | ResponsesToolChoice | None = None
    parallel_tool_calls: Flag = None
    truncation: Literal["auto", "disabled", ""] | None = None
    metadata: Annotated[dict[str, str] | None, no_effect("notes of the caller's, repeated in the reply")] = None
    max_tool_calls: Annotated[Integer, no_effect("it limits tools that the server runs, of which there are none")] = (
        None
    )
    user: Note = None
    safety_identifier: Note = None
    prompt_cache_key: CacheKey = None
    prompt_cache_retention: CacheKey = None
    service_tier: Tier = None
    background: Refused = None
    conversation: Refused = None
    prompt: Refused = None
    context_management: Refused = None
    moderation: Refused = None
