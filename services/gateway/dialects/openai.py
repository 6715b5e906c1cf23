"""OpenAI's chat requests: JSON bytes of `/v1/chat/completions` to a typed call. Replies are in `openai_reply.py`.

Where OpenAI's API and Ollama's edition of it differ, Ollama's texts and defaults hold; what Ollama ignores and OpenAI
promises is honoured. What is accepted and does nothing:
- `user`, `metadata`, `safety_identifier`: notes about the caller's own users, for OpenAI's records.
- `store`: OpenAI keeps replies for its dashboard; here nothing is kept and nothing is promised to be found later.
- `service_tier`: there is one tier.
- `prompt_cache_key`, `prompt_cache_retention`: equal beginnings are computed once, whatever they are called.
- `prediction`: a hint for OpenAI's speed; the answer is the same without it.
- `verbosity`: a hint that OpenAI's own models are trained to follow.
- `strict`: an answer in a format, and calls that must be made, are bound to their schema whether or not that is said;
  calls that a model makes of its own accord cannot be bound before it has begun one.
Source: OpenAI's API reference; Ollama `openai/openai.go`, `middleware/openai.go`.
"""

from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from services.gateway.conversation import Conversation, check_messages_count
from services.gateway.dialects.ollama import keep_alive_s
from services.gateway.dialects.openai_effort import think_of_effort
from services.gateway.dialects.openai_messages import read_messages
from services.gateway.dialects.openai_options import (
    SAMPLING_DEFAULTS,
    choices_count,
    includes_usage,
    logit_bias,
    read_options,
    stop_texts,
)
from services.gateway.dialects.openai_tools import ToolUse, tool_definition, tool_definitions, tool_use
from services.gateway.dialects.schemas import json_schema_text
from shared.errors import ParameterInvalid
from shared.generation import ANY_JSON_OBJECT, Sampling, Think
from shared.go_json import GoFields, decode_object

TOP_LOGPROBS_MAX: Final = 20
_THINKING_SWITCHES: Final = ("enable_thinking", "thinking")
"""What templates of different families call the same thing."""


class OpenAiCall(msgspec.Struct, frozen=True, kw_only=True):
    """`calls_functions` says that calls are told in the older way, as `function_call`. `keep_alive_s` None keeps what
    the model has.
    """

    model: str
    conversation: Conversation
    calls_functions: bool
    stream: bool
    include_usage: bool
    choices_count: int
    options: dict[str, object]
    sampling: Sampling
    keep_alive_s: float | None
    asked: Asked


def parse_chat(body: bytes) -> OpenAiCall:
    """Raises: ParameterInvalid."""
    if not body.strip():
        raise ParameterInvalid("EOF")
    fields = GoFields("ChatCompletionRequest", decode_object(body, go_type="openai.ChatCompletionRequest"))
    raw_messages = fields.objects("messages", "openai.Message") or []
    if not raw_messages:
        raise ParameterInvalid("[] is too short - 'messages'")
    check_messages_count(len(raw_messages))
    history = read_messages(raw_messages)
    calls_functions = bool(fields.items("functions")) or fields.anything("function_call") is not None
    used = _functions(fields) if calls_functions else _tools(fields)
    think = _think(fields)
    return OpenAiCall(
        model=fields.text("model"),
        conversation=Conversation(
            messages=history.messages,
            tools=used.tools,
            forced_tools=used.forced_tools,
            one_tool_call=used.one_tool_call,
            think=think,
        ),
        calls_functions=calls_functions,
        stream=fields.flag("stream") or False,
        include_usage=includes_usage(fields),
        choices_count=choices_count(fields),
        options=_options(fields),
        sampling=Sampling(
            json_schema=_json_schema(fields), logit_bias=logit_bias(fields), top_logprobs=_top_logprobs(fields)
        ),
        keep_alive_s=keep_alive_s(fields.anything("keep_alive")),
        asked=Asked(
            tools=bool(used.tools) or history.has_tools,
            thinking=bool(think),
            images=history.has_images,
            audio=history.has_sound,
            unserved=_unserved(fields),
        ),
    )


def _tools(fields: GoFields) -> ToolUse:
    tools = tool_definitions(fields.objects("tools", "api.Tool") or [])
    one_tool_call = fields.flag("parallel_tool_calls") is False
    return tool_use(tools, fields.anything("tool_choice"), one_tool_call=one_tool_call)


def _functions(fields: GoFields) -> ToolUse:
    """The older form of tools, of which a model may call one a turn."""
    if fields.items("tools"):
        raise ParameterInvalid("functions is the older form of tools: a request has one of them")
    functions = tuple(tool_definition(one) for one in fields.objects("functions", "api.ToolFunction") or [])
    choice = fields.anything("function_call")
    if isinstance(choice, dict):
        choice = {"type": "function", "function": choice}
    return tool_use(functions, choice, one_tool_call=True)


def _think(fields: GoFields) -> Think:
    """`reasoning.effort` wins over `reasoning_effort`, and both over a switch that is meant for the template."""
    reasoning = GoFields("Reasoning", fields.mapping("reasoning", "openai.Reasoning") or {})
    think = think_of_effort(reasoning.text("effort") or fields.text("reasoning_effort"))
    if think is not None:
        return think
    switches = GoFields("ChatTemplateKwargs", fields.mapping("chat_template_kwargs") or {})
    said = [on for name in _THINKING_SWITCHES if (on := switches.flag(name)) is not None]
    return said[0] if said else None


def _options(fields: GoFields) -> dict[str, object]:
    completion_tokens = fields.integer("max_completion_tokens")
    return read_options(
        fields,
        defaults=SAMPLING_DEFAULTS,
        num_predict=fields.integer("max_tokens") if completion_tokens is None else completion_tokens,
        stop=stop_texts(fields.anything("stop")),
    )


def _top_logprobs(fields: GoFields) -> int | None:
    """How many alternatives are told beside each token; None when log-probabilities were not asked for."""
    count = fields.integer("top_logprobs") or 0
    if not 0 <= count <= TOP_LOGPROBS_MAX:
        raise ParameterInvalid(f"top_logprobs must be between 0 and {TOP_LOGPROBS_MAX}")
    if fields.flag("logprobs"):
        return count
    if count:
        raise ParameterInvalid("top_logprobs needs logprobs to be true")
    return None


def _json_schema(fields: GoFields) -> str | None:
    """What `response_format` demands of the output.

    Raises: ParameterInvalid for a format that does not exist or has no schema.
    """
    asked = GoFields("ResponseFormat", fields.mapping("response_format", "openai.ResponseFormat") or {})
    match asked.text("type"):
        case "" | "text":
            return None
        case "json_object":
            return ANY_JSON_OBJECT
        case "json_schema":
            given = GoFields("JsonSchema", asked.mapping("json_schema", "openai.JsonSchema") or {})
            schema = given.mapping("schema")
            if schema is None:
                raise ParameterInvalid("response_format.json_schema.schema is required")
            return json_schema_text(schema)
    raise ParameterInvalid(
        f'invalid response_format type: "{asked.text("type")}" (must be "text", "json_object" or "json_schema")'
    )


def _unserved(fields: GoFields) -> tuple[str, ...]:
    """What is asked for and cannot be had here: spoken answers, the web, other variables for a template."""
    switches = fields.mapping("chat_template_kwargs") or {}
    asks = {
        "audio": bool(fields.mapping("audio")) or "audio" in (fields.texts("modalities") or []),
        "web_search_options": fields.anything("web_search_options") is not None,
        **{f"chat_template_kwargs.{name}": name not in _THINKING_SWITCHES for name in switches},
    }
    return tuple(name for name, is_asked in asks.items() if is_asked)
