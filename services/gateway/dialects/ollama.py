"""Ollama's requests: JSON bytes of `/api/generate` and `/api/chat` to typed calls. Replies are in `ollama_reply.py`.

Two fields may be given and do nothing, as in Ollama: `system` beside `suffix`, since a template for gaps shows none,
and `think` beside `raw`, since a raw prompt says itself whether to think.
Source: Ollama `api/types.go`, `server/routes.go`.
"""

from typing import Final

import msgspec

from services.gateway.capabilities import Asked
from services.gateway.conversation import check_messages_count
from services.gateway.dialects.ollama_tools import tool_call_of, tools_of
from services.gateway.dialects.schemas import json_schema_text
from services.gateway.go_base64 import decode_base64
from shared.errors import OptionTypeInvalid, ParameterInvalid
from shared.generation import ANY_JSON_OBJECT, KEEP_ALIVE_FOREVER_S, Message, Sampling, Think
from shared.go_duration import DURATION_S_MAX, parse_duration_ns
from shared.go_json import GoFields, decode_object, go_kind

THINK_LEVELS: Final = ("high", "medium", "low", "max")
TOP_LOGPROBS_MAX: Final = 20


class OllamaCall(msgspec.Struct, frozen=True, kw_only=True):
    """What generate and chat have in common. `keep_alive_s` None keeps what the model has, `shift` None what suits it.

    `render_only` asks for the prompt that a worker would write, and for no answer.
    """

    model: str
    stream: bool
    keep_alive_s: float | None
    options: dict[str, object]
    truncate: bool
    shift: bool | None
    sampling: Sampling
    think: Think
    render_only: bool
    asked: Asked

    @property
    def unloads(self) -> bool:
        """Whether, without a prompt, it asks for the model to be unloaded."""
        return self.keep_alive_s == 0


class GenerateCall(OllamaCall, frozen=True, kw_only=True):
    prompt: str
    suffix: str
    system: str
    template: str
    context: tuple[int, ...]
    images: tuple[bytes, ...]
    raw: bool


class ChatCall(OllamaCall, frozen=True, kw_only=True):
    messages: tuple[Message, ...]
    tools: tuple[dict[str, object], ...]


def parse_generate(body: bytes) -> GenerateCall:
    """Raises: ParameterInvalid, OptionTypeInvalid, with Ollama's texts."""
    fields = GoFields("GenerateRequest", decode_object(body, go_type="api.GenerateRequest"))
    images, suffix, think = _images(fields, "GenerateRequest"), fields.text("suffix"), _think(fields)
    call = GenerateCall(
        model=fields.text("model"),
        prompt=fields.text("prompt"),
        suffix=suffix,
        system=fields.text("system"),
        template=fields.text("template"),
        context=_context(fields),
        images=images,
        raw=fields.flag("raw") or False,
        stream=fields.flag("stream") is not False,
        keep_alive_s=keep_alive_s(fields.anything("keep_alive")),
        options=fields.mapping("options") or {},
        truncate=fields.flag("truncate") is not False,
        shift=fields.flag("shift"),
        sampling=_sampling(fields),
        think=think,
        render_only=fields.flag("_debug_render_only") or False,
        asked=Asked(
            insert=bool(suffix),
            thinking=bool(think),
            images=not all(is_sound(one) for one in images),
            audio=any(is_sound(one) for one in images),
        ),
    )
    _check_top_logprobs(fields)
    return call


def check_combination(call: GenerateCall) -> None:
    """Raises: ParameterInvalid for fields that no prompt can have together."""
    if call.raw and (call.template or call.system or call.context):
        raise ParameterInvalid("raw mode does not support template, system, or context")
    if call.raw and (call.suffix or call.images):
        raise ParameterInvalid("raw mode does not support suffix or images")
    if call.suffix and (call.images or call.context):
        raise ParameterInvalid("suffix cannot be used together with images or context")


def parse_chat(body: bytes) -> ChatCall:
    """Raises: ParameterInvalid, OptionTypeInvalid, with Ollama's texts.

    Earlier calls of tools and their results need no capability: a model's template shows what it can of them.
    """
    fields = GoFields("ChatRequest", decode_object(body, go_type="api.ChatRequest"))
    raw_messages = fields.objects("messages", "api.Message") or []
    check_messages_count(len(raw_messages))
    messages = tuple(_message(one) for one in raw_messages)
    tools, think = tools_of(fields), _think(fields)
    files = [one for message in messages for one in message.images]
    call = ChatCall(
        model=fields.text("model"),
        messages=messages,
        tools=tools,
        stream=fields.flag("stream") is not False,
        keep_alive_s=keep_alive_s(fields.anything("keep_alive")),
        options=fields.mapping("options") or {},
        truncate=fields.flag("truncate") is not False,
        shift=fields.flag("shift"),
        sampling=_sampling(fields),
        think=think,
        render_only=fields.flag("_debug_render_only") or False,
        asked=Asked(
            tools=bool(tools),
            thinking=bool(think),
            images=not all(is_sound(one) for one in files),
            audio=any(is_sound(one) for one in files),
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


def _message(values: dict[str, object]) -> Message:
    fields = GoFields("Alias", values)
    return Message(
        role=fields.text("role").lower(),
        content=fields.text("content"),
        thinking=fields.text("thinking"),
        tool_calls=tuple(tool_call_of(call) for call in fields.objects("tool_calls", "api.ToolCall") or []),
        tool_name=fields.text("tool_name"),
        tool_call_id=fields.text("tool_call_id"),
        images=_images(fields, "Alias"),
    )


def _images(fields: GoFields, struct: str) -> tuple[bytes, ...]:
    """The files, which clients write as base64."""
    items = fields.items("images", "[]api.ImageData") or []
    for item in items:
        if item is not None and not isinstance(item, str):
            kind = go_kind(item)
            raise ParameterInvalid(
                f"json: cannot unmarshal {kind} into Go struct field {struct}.images of type api.ImageData"
            )
    return tuple(decode_base64(item) for item in items if isinstance(item, str))


def is_sound(file: bytes) -> bool:
    """Whether what came as an image is WAV, MP3 or FLAC. Source: llama.cpp `tools/mtmd/mtmd-helper.cpp`."""
    is_wav = file[:4] == b"RIFF" and file[8:12] == b"WAVE"
    is_mp3 = file[:3] == b"ID3" or (file[:1] == b"\xff" and file[1:2] >= b"\xe0")
    return is_wav or is_mp3 or file[:4] == b"fLaC"


def _think(fields: GoFields) -> Think:
    """Raises: ParameterInvalid for what is neither a flag nor a level."""
    match fields.anything("think"):
        case None | "":
            return None
        case bool() as flag:
            return flag
        case str() as level if level in THINK_LEVELS:
            return level
        case str() as level:
            raise ParameterInvalid(
                f'invalid think value: "{level}" (must be "high", "medium", "low", "max", true, or false)'
            )
    raise ParameterInvalid('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')


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
