"""OpenAI's responses: JSON bytes of `/v1/responses` to a typed call. Replies are in `responses_reply.py`.

Where OpenAI's API and Ollama's edition of it differ, Ollama's texts and defaults hold; what Ollama ignores and OpenAI
promises is honoured: kept conversations, choices among tools, log-probabilities, refusing what does not fit.
What is accepted and does nothing:
- `user`, `safety_identifier`: notes about the caller's own users, for OpenAI's records. They are repeated in the reply.
- `prompt_cache_key`, `prompt_cache_retention`: equal beginnings are computed once, whatever they are called.
- `service_tier`: there is one tier, and replies say so.
- `max_tool_calls`: a limit for tools that the server runs, of which there are none.
- `text.verbosity`: a hint that OpenAI's own models are trained to follow.
- `reasoning.summary`: thoughts are told as they are; there is nobody to sum them up.
- `include`, but for log-probabilities: the rest is always told, or belongs to tools that do not exist here.
- a tool's or a schema's `strict`: what can be bound to a schema is, whether or not that is said.
Source: OpenAI's API reference (Responses); Ollama `openai/responses.go`, `middleware/openai.go`.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from services.gateway.conversation import Conversation
from services.gateway.dialects.openai_effort import think_of_effort
from services.gateway.dialects.openai_tools import ToolUse, tool_use
from services.gateway.dialects.responses_items import Item, read_input
from services.gateway.dialects.responses_messages import messages_of
from services.gateway.dialects.responses_tools import ResponseTools, read_tools
from services.gateway.dialects.schemas import json_schema_text
from shared.errors import ParameterInvalid
from shared.generation import ANY_JSON_OBJECT, Message, Sampling, Think
from shared.go_json import GoFields, decode_object

TOP_LOGPROBS_MAX: Final = 20
_INCLUDE_LOGPROBS: Final = "message.output_text.logprobs"
_INCLUDABLE: Final = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    _INCLUDE_LOGPROBS,
)
_UNSERVED_FIELDS: Final = ("background", "conversation", "prompt", "context_management", "moderation")
_REPEATED_TEXTS: Final = ("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")


class ResponsesCall(msgspec.Struct, frozen=True, kw_only=True):
    """`items` are the new ones; those of the previous response, if one is named, come before them.

    `namespaces` are those of the tools that have one. `repeated` are the fields that a reply repeats.
    """

    model: str
    items: tuple[Item, ...]
    instructions: str
    previous_response_id: str
    tool_use: ToolUse
    namespaces: dict[str, str]
    think: Think
    options: dict[str, object]
    sampling: Sampling
    truncate: bool
    stream: bool
    keep: bool
    asked: Asked
    repeated: dict[str, object]


def parse(body: bytes) -> ResponsesCall:
    """Raises: ParameterInvalid."""
    if not body.strip():
        raise ParameterInvalid("EOF")
    fields = GoFields("ResponsesRequest", decode_object(body, go_type="openai.ResponsesRequest"))
    if fields.anything("input") is None and not fields.text("previous_response_id"):
        raise ParameterInvalid('one of "input" or "previous_response_id" must be given')
    tools = read_tools(fields.objects("tools", "openai.ResponsesTool") or [])
    used = tool_use(
        tools.definitions, fields.anything("tool_choice"), one_tool_call=fields.flag("parallel_tool_calls") is False
    )
    think = think_of_effort(_reasoning(fields).text("effort"))
    sampling = Sampling(json_schema=_json_schema(_format(fields)), top_logprobs=_top_logprobs(fields))
    return ResponsesCall(
        model=fields.text("model"),
        items=read_input(fields.anything("input")),
        instructions=fields.text("instructions"),
        previous_response_id=fields.text("previous_response_id"),
        tool_use=used,
        namespaces=tools.namespaces,
        think=think,
        options=_options(fields),
        sampling=sampling,
        truncate=_truncates(fields),
        stream=fields.flag("stream") or False,
        keep=fields.flag("store") is not False,
        asked=Asked(tools=bool(used.tools), thinking=bool(think), unserved=_unserved(fields, tools)),
        repeated=_repeated(fields, tools, sampling),
    )


def conversation_of(call: ResponsesCall, items: Sequence[Item]) -> Conversation:
    """What `call` asks after everything that was said in `items`. Instructions are those of this call alone.

    Raises: ParameterInvalid.
    """
    head = (Message("system", call.instructions),) if call.instructions else ()
    return Conversation(
        messages=(*head, *messages_of(items)),
        tools=call.tool_use.tools,
        forced_tools=call.tool_use.forced_tools,
        one_tool_call=call.tool_use.one_tool_call,
        think=call.think,
    )


def asked_of(call: ResponsesCall, conversation: Conversation) -> Asked:
    """What the call needs of a model, all that was said before included."""
    messages = conversation.messages
    return msgspec.structs.replace(
        call.asked,
        images=any(message.images for message in messages),
        tools=call.asked.tools or any(message.tool_calls or message.role == "tool" for message in messages),
    )


def _options(fields: GoFields) -> dict[str, object]:
    """An absent `temperature` is 1, whatever the model says; an absent `top_p` is the model's."""
    output_tokens = fields.integer("max_output_tokens")
    if output_tokens is not None and output_tokens < 1:
        raise ParameterInvalid("max_output_tokens must be at least 1")
    temperature = fields.real("temperature")
    values: dict[str, object] = {
        "num_predict": output_tokens,
        "temperature": 1.0 if temperature is None else temperature,
        "top_p": fields.real("top_p"),
    }
    return {name: value for name, value in values.items() if value is not None}


def _truncates(fields: GoFields) -> bool:
    match fields.text("truncation"):
        case "auto":
            return True
        case "" | "disabled":
            return False
    raise ParameterInvalid(f'invalid truncation: "{fields.text("truncation")}" (must be "auto" or "disabled")')


def _top_logprobs(fields: GoFields) -> int | None:
    """How many alternatives are told beside each token; None when log-probabilities were not asked for."""
    included = fields.texts("include") or []
    for name in included:
        if name not in _INCLUDABLE:
            raise ParameterInvalid(f'invalid include: "{name}" (must be one of {", ".join(_INCLUDABLE)})')
    count = fields.integer("top_logprobs") or 0
    if not 0 <= count <= TOP_LOGPROBS_MAX:
        raise ParameterInvalid(f"top_logprobs must be between 0 and {TOP_LOGPROBS_MAX}")
    return count if count or _INCLUDE_LOGPROBS in included else None


def _reasoning(fields: GoFields) -> GoFields:
    return GoFields("ResponsesReasoning", fields.mapping("reasoning", "openai.ResponsesReasoning") or {})


def _text(fields: GoFields) -> GoFields:
    return GoFields("ResponsesText", fields.mapping("text", "openai.ResponsesText") or {})


def _format(fields: GoFields) -> dict[str, object]:
    return _text(fields).mapping("format", "openai.ResponsesTextFormat") or {"type": "text"}


def _json_schema(wanted: dict[str, object]) -> str | None:
    """What `text.format` demands of the output.

    Raises: ParameterInvalid for a format that does not exist or has no schema.
    """
    fields = GoFields("ResponsesTextFormat", wanted)
    match fields.text("type"):
        case "" | "text":
            return None
        case "json_object":
            return ANY_JSON_OBJECT
        case "json_schema":
            schema = fields.mapping("schema")
            if schema is None:
                raise ParameterInvalid("text.format.schema is required")
            return json_schema_text(schema)
    raise ParameterInvalid(
        f'invalid text.format type: "{fields.text("type")}" (must be "text", "json_object" or "json_schema")'
    )


def _unserved(fields: GoFields, tools: ResponseTools) -> tuple[str, ...]:
    """What is asked for and cannot be had here."""
    stream_options = GoFields("StreamOptions", fields.mapping("stream_options") or {})
    padded = ("stream_options.include_obfuscation",) if stream_options.flag("include_obfuscation") else ()
    return (*(name for name in _UNSERVED_FIELDS if fields.anything(name)), *padded, *tools.unserved)


def _repeated(fields: GoFields, tools: ResponseTools, sampling: Sampling) -> dict[str, object]:
    """The fields of a reply that repeat the request."""
    reasoning = {name: _reasoning(fields).text(name) or None for name in ("effort", "summary")}
    verbosity = _text(fields).text("verbosity")
    return {
        "model": fields.text("model"),
        "instructions": fields.text("instructions") or None,
        "previous_response_id": fields.text("previous_response_id") or None,
        "tools": tools.shown,
        "tool_choice": fields.anything("tool_choice") or "auto",
        "parallel_tool_calls": fields.flag("parallel_tool_calls") is not False,
        "text": {"format": _format(fields), **({"verbosity": verbosity} if verbosity else {})},
        "reasoning": reasoning if any(reasoning.values()) else None,
        "truncation": "auto" if _truncates(fields) else "disabled",
        "max_output_tokens": fields.integer("max_output_tokens"),
        "max_tool_calls": fields.integer("max_tool_calls"),
        "top_logprobs": sampling.top_logprobs or 0,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "background": False,
        "service_tier": "default",
        "metadata": fields.text_mapping("metadata") or {},
        **{name: fields.text(name) or None for name in _REPEATED_TEXTS},
    }
