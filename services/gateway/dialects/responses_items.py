"""The items of OpenAI's responses: what a conversation consists of, read from requests and shown in lists. Pure.

Where Ollama knows an item its texts hold. A web search of an earlier turn holds nothing that a model could read, and
is passed over. A picture's `detail` does nothing: a model sees its pictures in the one size that it was made for.
Source: OpenAI's API reference (Responses); Ollama `openai/responses.go` for texts.
"""

import base64
from collections.abc import Mapping
from typing import Final

import msgspec

from services.gateway.dialects.openai_content import image_bytes
from services.gateway.dialects.openai_tools import arguments_text
from shared.errors import ParameterInvalid
from shared.go_json import GoFields

_ROLES: Final = ("user", "assistant", "system", "developer")
_WITHOUT_CONTENT: Final = ("web_search_call",)


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """A picture's file; `media_type` is what its data URI said, possibly nothing."""

    image: bytes
    media_type: str


Part = TextPart | ImagePart


class MessageItem(msgspec.Struct, frozen=True, kw_only=True, tag="message"):
    item_id: str
    role: str
    parts: tuple[Part, ...]


class CallItem(msgspec.Struct, frozen=True, kw_only=True, tag="function_call"):
    """A call of a tool; `arguments` is the text of a JSON object."""

    item_id: str
    call_id: str
    name: str
    namespace: str
    arguments: str


class ResultItem(msgspec.Struct, frozen=True, kw_only=True, tag="function_call_output"):
    item_id: str
    call_id: str
    parts: tuple[Part, ...]


class ReasoningItem(msgspec.Struct, frozen=True, kw_only=True, tag="reasoning"):
    item_id: str
    thinking: str


class Reference(msgspec.Struct, frozen=True, kw_only=True, tag="item_reference"):
    """Stands for an item of an earlier response."""

    item_id: str


Item = MessageItem | CallItem | ResultItem | ReasoningItem | Reference


def read_input(value: object) -> tuple[Item, ...]:
    """A request's `input`: a text of the user, or a list of items.

    Raises: ParameterInvalid.
    """
    match value:
        case None:
            return ()
        case str():
            return (MessageItem(item_id="", role="user", parts=(TextPart(value),)),)
        case list():
            read = (_item(item, f"input[{index}]") for index, item in enumerate(value))
            return tuple(item for item in read if item is not None)
    raise ParameterInvalid("input must be a string or array")


def qualified(namespace: str, name: str) -> str:
    """A tool's name as models see it: those of a namespace have its name in front."""
    return f"{namespace}.{name}" if namespace else name


def shown_item(item: Item) -> dict[str, object]:
    """An item as the API lists it."""
    match item:
        case MessageItem(role=role, parts=parts):
            rest: dict[str, object] = {
                "status": "completed",
                "role": role,
                "content": [_shown_part(part, role) for part in parts],
            }
        case CallItem(call_id=call_id, name=name, namespace=namespace, arguments=arguments):
            spaced = {"namespace": namespace} if namespace else {}
            rest = {"status": "completed", "call_id": call_id, "name": name, **spaced, "arguments": arguments}
        case ResultItem(call_id=call_id, parts=parts):
            rest = {"status": "completed", "call_id": call_id, "output": _shown_output(parts)}
        case ReasoningItem(thinking=thinking):
            rest = {"summary": summary(thinking), "encrypted_content": thinking}
        case Reference():
            rest = {}
    return {"id": item.item_id, "type": item.__struct_config__.tag, **rest}


def summary(thinking: str) -> list[dict[str, str]]:
    """What a reasoning item tells of its thoughts: all of them, there is nobody to sum them up."""
    return [{"type": "summary_text", "text": thinking}] if thinking else []


def _item(value: object, place: str) -> Item | None:
    """One item; None for one that a model has no use for.

    Raises: ParameterInvalid, which names the place.
    """
    if not isinstance(value, Mapping):
        raise ParameterInvalid(f"{place}: an item must be an object")
    fields = GoFields("ResponsesInputItem", value)
    kind = fields.text("type") or ("message" if fields.text("role") else "")
    try:
        return _item_of_kind(kind, fields)
    except ParameterInvalid as problem:
        raise ParameterInvalid(f"{place}: {problem.message}") from problem


def _item_of_kind(kind: str, fields: GoFields) -> Item | None:
    item_id = fields.text("id")
    match kind:
        case "message":
            role = fields.text("role")
            if role not in _ROLES:
                raise ParameterInvalid(f'unknown role: "{role}" (must be {", ".join(_ROLES)})')
            return MessageItem(item_id=item_id, role=role, parts=_parts(fields.anything("content"), "content"))
        case "function_call":
            return CallItem(
                item_id=item_id,
                call_id=fields.text("call_id"),
                name=fields.text("name"),
                namespace=fields.text("namespace"),
                arguments=arguments_text(fields.text("arguments")),
            )
        case "function_call_output":
            parts = _parts(fields.anything("output"), "output")
            return ResultItem(item_id=item_id, call_id=fields.text("call_id"), parts=parts)
        case "reasoning":
            return ReasoningItem(item_id=item_id, thinking=_thinking(fields))
        case "item_reference":
            return Reference(item_id=item_id)
        case "":
            raise ParameterInvalid("input item missing required 'type' field")
        case _ if kind in _WITHOUT_CONTENT:
            return None
    raise ParameterInvalid(f'unknown input item type: "{kind}"')


def _parts(value: object, name: str) -> tuple[Part, ...]:
    match value:
        case None:
            return ()
        case str():
            return (TextPart(value),)
        case list():
            return tuple(_part(part, f"{name}[{index}]") for index, part in enumerate(value))
    raise ParameterInvalid(f"{name} must be a string or array")


def _part(value: object, place: str) -> Part:
    match value:
        case {"type": "input_text" | "output_text", "text": str() as text} | {
            "type": "refusal",
            "refusal": str() as text,
        }:
            return TextPart(text)
        case {"type": "input_image", "image_url": str() as url}:
            return ImagePart(image_bytes(url), url.removeprefix("data:").partition(";")[0])
        case {"type": "input_image" | "input_file"}:
            raise ParameterInvalid("file inputs are not currently supported")
        case {"type": str() as kind} if kind not in ("input_text", "output_text", "refusal"):
            raise ParameterInvalid(f"{place}: unknown content type: {kind}")
    raise ParameterInvalid(f"{place}: a content part must have a type, and a text of that type its text")


def _thinking(fields: GoFields) -> str:
    """The thoughts of an earlier turn: as this server gave them out, else whatever of them can be read."""
    kept = fields.text("encrypted_content")
    if kept:
        return kept
    parts = (fields.objects("content", "ResponsesReasoning") or []) or (
        fields.objects("summary", "ResponsesReasoningSummary") or []
    )
    return "".join(GoFields("ResponsesReasoningSummary", part).text("text") for part in parts)


def _shown_part(part: Part, role: str) -> dict[str, object]:
    match part:
        case TextPart(text) if role == "assistant":
            return {"type": "output_text", "text": text, "annotations": []}
        case TextPart(text):
            return {"type": "input_text", "text": text}
        case ImagePart(image, media_type):
            url = f"data:{media_type};base64,{base64.b64encode(image).decode()}"
            return {"type": "input_image", "detail": "auto", "image_url": url}


def _shown_output(parts: tuple[Part, ...]) -> str | list[dict[str, object]]:
    match parts:
        case ():
            return ""
        case (TextPart(text),):
            return text
    return [_shown_part(part, "tool") for part in parts]
