"""Ollama's requests: JSON bytes of `/api/generate` and `/api/chat` to typed calls. Replies are in `ollama_reply.py`.

Source: Ollama `api/types.go`.
"""

from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from services.gateway.dialects.schemas import json_schema_text
from services.gateway.go_duration import DURATION_S_MAX, parse_duration_ns
from shared.errors import OptionTypeInvalid, ParameterInvalid
from shared.generation import ANY_JSON_OBJECT, KEEP_ALIVE_FOREVER_S, Message, Sampling
from shared.go_json import GoFields, decode_object

THINK_LEVELS: Final = ("high", "medium", "low", "max")
TOP_LOGPROBS_MAX: Final = 20


class OllamaCall(msgspec.Struct, frozen=True, kw_only=True):
    """What generate and chat have in common. `keep_alive_s` None keeps what the model has."""

    model: str
    stream: bool
    keep_alive_s: float | None
    options: dict[str, object]
    truncate: bool
    sampling: Sampling
    asked: Asked

    @property
    def unloads(self) -> bool:
        """Whether, without a prompt, it asks for the model to be unloaded."""
        return self.keep_alive_s == 0


class GenerateCall(OllamaCall, frozen=True, kw_only=True):
    prompt: str
    system: str
    template: str
    context: tuple[int, ...]
    raw: bool


class ChatCall(OllamaCall, frozen=True, kw_only=True):
    messages: tuple[Message, ...]


def parse_generate(body: bytes) -> GenerateCall:
    """Raises: ParameterInvalid, OptionTypeInvalid, with Ollama's texts."""
    fields = GoFields("GenerateRequest", decode_object(body, go_type="api.GenerateRequest"))
    has_images = bool(fields.items("images", "[]api.ImageData"))
    suffix = fields.text("suffix")
    call = GenerateCall(
        model=fields.text("model"),
        prompt=fields.text("prompt"),
        system=fields.text("system"),
        template=fields.text("template"),
        context=_context(fields),
        raw=fields.flag("raw") or False,
        stream=fields.flag("stream") is not False,
        keep_alive_s=keep_alive_s(fields.anything("keep_alive")),
        options=fields.mapping("options") or {},
        truncate=fields.flag("truncate") is not False,
        sampling=_sampling(fields),
        asked=Asked(insert=bool(suffix), thinking=_thinks(fields), images=has_images, unserved=_unserved(fields)),
    )
    _check_top_logprobs(fields)
    return call


def check_raw(call: GenerateCall) -> None:
    """Raises: ParameterInvalid for a raw prompt that also wants templating."""
    if call.raw and (call.template or call.system or call.context):
        raise ParameterInvalid("raw mode does not support template, system, or context")


def parse_chat(body: bytes) -> ChatCall:
    """Raises: ParameterInvalid, OptionTypeInvalid, with Ollama's texts."""
    fields = GoFields("ChatRequest", decode_object(body, go_type="api.ChatRequest"))
    messages = [GoFields("Alias", message) for message in fields.objects("messages", "api.Message") or []]
    call = ChatCall(
        model=fields.text("model"),
        messages=tuple(Message(one.text("role").lower(), one.text("content")) for one in messages),
        stream=fields.flag("stream") is not False,
        keep_alive_s=keep_alive_s(fields.anything("keep_alive")),
        options=fields.mapping("options") or {},
        truncate=fields.flag("truncate") is not False,
        sampling=_sampling(fields),
        asked=Asked(
            tools=bool(fields.items("tools", "api.Tools")) or any(_is_of_tools(one) for one in messages),
            thinking=_thinks(fields),
            images=any(one.items("images", "[]api.ImageData") for one in messages),
            unserved=_unserved(fields),
        ),
    )
    _check_top_logprobs(fields)
    return call


def keep_alive_s(value: object) -> float | None:
    """Seconds of a `keep_alive`: a number of seconds or Go's duration text, anything negative meaning for ever.

    Raises: ParameterInvalid.
    """
    match value:
        case None | "":
            return None
        case bool():
            raise ParameterInvalid("Unsupported type: 'bool'")
        case int() | float():
            seconds = float(value)
        case str():
            seconds = parse_duration_ns(value) / 1e9
        case list():
            raise ParameterInvalid("Unsupported type: '[]interface {}'")
        case _:
            raise ParameterInvalid("Unsupported type: 'map[string]interface {}'")
    return KEEP_ALIVE_FOREVER_S if seconds < 0 or seconds >= DURATION_S_MAX else seconds


def _context(fields: GoFields) -> tuple[int, ...]:
    values = fields.items("context", "[]int") or []
    return tuple(GoFields("GenerateRequest", {"context": value}).integer("context") or 0 for value in values)


def _is_of_tools(message: GoFields) -> bool:
    return bool(message.items("tool_calls", "[]api.ToolCall")) or message.text("role").lower() == "tool"


def _thinks(fields: GoFields) -> bool:
    """Raises: ParameterInvalid for what is neither a flag nor a level."""
    match fields.anything("think"):
        case None | "":
            return False
        case bool() as flag:
            return flag
        case str() as level if level in THINK_LEVELS:
            return True
        case str() as level:
            raise ParameterInvalid(
                f'invalid think value: "{level}" (must be "high", "medium", "low", "max", true, or false)'
            )
    raise ParameterInvalid('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')


def _unserved(fields: GoFields) -> tuple[str, ...]:
    """Fields that ask for what this server cannot do yet. `shift: false` is how it works anyway."""
    asks = {
        "shift": bool(fields.flag("shift")),
        "_debug_render_only": bool(fields.flag("_debug_render_only")),
    }
    return tuple(name for name, is_asked in asks.items() if is_asked)


def _sampling(fields: GoFields) -> Sampling:
    """Raises: OptionTypeInvalid for what is no format at all, ParameterInvalid."""
    top_count = (fields.integer("top_logprobs") or 0) if fields.flag("logprobs") else None
    return Sampling(json_schema=_json_schema(fields), top_logprobs=top_count)


def _json_schema(fields: GoFields) -> str | None:
    match fields.anything("format"):
        case None | "":
            return None
        case "json":
            return ANY_JSON_OBJECT
        case dict() as schema:
            return json_schema_text(schema)
        case other:
            shown = msgspec.json.encode(msgspec.json.encode(other).decode()).decode()
            raise OptionTypeInvalid(f'invalid format: {shown}; expected "json" or a valid JSON Schema object')


def _check_top_logprobs(fields: GoFields) -> None:
    if not 0 <= (fields.integer("top_logprobs") or 0) <= TOP_LOGPROBS_MAX:
        raise ParameterInvalid(f"top_logprobs must be between 0 and {TOP_LOGPROBS_MAX}")
