"""Content of Anthropic's messages: blocks to the messages a model reads. Pure.

One message may become several: the results of tools stand before what its user says, as Ollama has it, and neighbours
of one role are one turn. `redacted_thinking` says nothing to a model that did not encrypt it, so it is left out. What
nobody here can read (PDFs, addresses of pictures, results of Anthropic's own tools) is refused where it stands.
Source: Anthropic's Messages API reference; Ollama `anthropic/anthropic.go` for order and texts.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.gateway.dialects.anthropic_tools import call_id_of
from services.gateway.dialects.schemas import json_text
from shared.errors import ParameterInvalid
from shared.generation import Message, ToolCall
from shared.go_json import GoFields

_ERROR_HEAD: Final = "Error: "
"""What tells a model that a tool failed; its templates have no field for that."""

_TEXT: Final = frozenset({"text"})
_SHOWN: Final = _TEXT | {"image"}
_READ: Final = _SHOWN | {"document", "search_result"}
_BLOCKS_OF_ROLE: Final[dict[str, frozenset[str]]] = {
    "user": _READ | {"tool_result"},
    "assistant": _TEXT | {"thinking", "redacted_thinking", "tool_use"},
    "system": _TEXT,
}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What the blocks of one message hold, each kind in its order."""

    text: str = ""
    thinking: str = ""
    images: tuple[bytes, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    results: tuple[Message, ...] = ()


def read_messages(raw: Sequence[Mapping[str, object]]) -> tuple[Message, ...]:
    """The turns of a conversation.

    Raises: ParameterInvalid, which names the place.
    """
    names: dict[str, str] = {}
    turns: list[list[Message]] = []
    for index, one in enumerate(raw):
        for message in _messages(GoFields("MessageParam", one), f"messages.{index}", names):
            if turns and turns[-1][0].role == message.role != "tool":
                turns[-1].append(message)
            else:
                turns.append([message])
    return tuple(turn[0] if len(turn) == 1 else _one_turn(turn) for turn in turns)


def read_system(value: object) -> str:
    """Raises: ParameterInvalid."""
    return "" if value is None else _Reader(_TEXT, {}).content(value, "system").text


def _messages(fields: GoFields, place: str, names: dict[str, str]) -> list[Message]:
    """One message's turns. `names` are those of the tools called so far, by id; its own calls are added."""
    role = fields.text("role")
    if role not in _BLOCKS_OF_ROLE:
        raise ParameterInvalid(f"{place}.role must be user or assistant")
    content = _Reader(_BLOCKS_OF_ROLE[role], names).content(fields.anything("content"), f"{place}.content")
    names |= {call.call_id: call.name for call in content.tool_calls}
    if content.results and not (content.text or content.images):
        return list(content.results)
    said = Message(role, content.text, thinking=content.thinking, tool_calls=content.tool_calls, images=content.images)
    return [*content.results, said]


def _one_turn(messages: Sequence[Message]) -> Message:
    """Messages of one role as one, their texts a blank line apart: many templates insist on taking turns."""
    return Message(
        messages[0].role,
        "\n\n".join(one.content for one in messages if one.content),
        thinking="\n\n".join(one.thinking for one in messages if one.thinking),
        tool_calls=tuple(call for one in messages for call in one.tool_calls),
        images=tuple(image for one in messages for image in one.images),
    )


class _Reader:
    """Reads content that may hold blocks of these `kinds`; a tool's result names its tool by `names`, by id."""

    def __init__(self, kinds: frozenset[str], names: Mapping[str, str]) -> None:
        self._kinds = kinds
        self._names = names

    def content(self, value: object, place: str) -> Content:
        """A string, or a list of blocks; their texts follow one another without a space, as Ollama has it.

        Raises: ParameterInvalid.
        """
        match value:
            case str():
                return Content(text=value)
            case list():
                return _joined([self._block(block, f"{place}.{index}") for index, block in enumerate(value)])
        raise ParameterInvalid(f"{place} must be a string or a list of content blocks")

    def _block(self, block: object, place: str) -> Content:
        fields = GoFields("ContentBlock", block if isinstance(block, dict) else {})
        match fields.text("type"):
            case str() as kind if kind and kind not in self._kinds:
                raise ParameterInvalid(f"{place}: this server does not support {kind} blocks here")
            case "text" if fields.anything("text") is not None:
                return Content(text=fields.text("text"))
            case "thinking":
                return Content(thinking=fields.text("thinking"))
            case "redacted_thinking":
                return Content()
            case "image":
                return Content(images=(_image(fields.anything("source")),))
            case "tool_use":
                return Content(tool_calls=(_call(fields),))
            case "tool_result":
                return Content(results=(_result(fields, place, self._names),))
            case "document":
                return _document(fields, place)
            case "search_result":
                return _search_result(fields, place)
        raise ParameterInvalid(f"{place} must be a content block with a type, a text block with its text")


def _joined(blocks: Sequence[Content]) -> Content:
    return Content(
        text="".join(block.text for block in blocks),
        thinking="".join(block.thinking for block in blocks),
        images=tuple(image for block in blocks for image in block.images),
        tool_calls=tuple(call for block in blocks for call in block.tool_calls),
        results=tuple(result for block in blocks for result in block.results),
    )


def _image(source: object) -> bytes:
    match source:
        case {"type": "base64", "data": str() as data}:
            return _from_base64(data)
        case {"type": str() as kind}:
            raise ParameterInvalid(f"invalid image source type: {kind}. Only base64 images are supported.")
    raise ParameterInvalid("invalid image source")


def _from_base64(data: str) -> bytes:
    """Line ends do not matter, as to Go's decoder."""
    try:
        content = base64.b64decode(data.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as cause:
        raise ParameterInvalid("invalid base64 image data") from cause
    if not content:
        raise ParameterInvalid("invalid base64 image data: it is empty")
    return content


def _call(block: GoFields) -> ToolCall:
    for name in ("id", "name"):
        if not block.text(name):
            raise ParameterInvalid(f"tool_use block missing required '{name}' field")
    arguments = json_text(block.mapping("input") or {}, what="the call of a tool")
    return ToolCall(block.text("name"), arguments, call_id_of(block.text("id")))


def _result(block: GoFields, place: str, names: Mapping[str, str]) -> Message:
    """What a tool gave; one whose call is not in the conversation has no name."""
    call_id = call_id_of(block.text("tool_use_id"))
    if not call_id:
        raise ParameterInvalid(f"{place}.tool_use_id is required")
    value = block.anything("content")
    content = Content() if value is None else _Reader(_READ, {}).content(value, f"{place}.content")
    return Message(
        "tool",
        _ERROR_HEAD + content.text if block.flag("is_error") else content.text,
        tool_name=names.get(call_id, ""),
        tool_call_id=call_id,
        images=content.images,
    )


def _document(block: GoFields, place: str) -> Content:
    """A document's text below its title and what else is said of it."""
    _check_citations(block, place)
    source = GoFields("Source", block.mapping("source", "anthropic.DocumentSource") or {})
    match source.text("type"):
        case "text":
            content = Content(text=source.text("data"))
        case "content":
            content = _Reader(_SHOWN, {}).content(source.anything("content"), f"{place}.source.content")
        case kind:
            raise ParameterInvalid(f"{place}: this server does not read documents of the source type {kind}; send text")
    return _below(content, block.text("title"), block.text("context"))


def _search_result(block: GoFields, place: str) -> Content:
    _check_citations(block, place)
    content = _Reader(_TEXT, {}).content(block.anything("content"), f"{place}.content")
    return _below(content, block.text("title"), block.text("source"))


def _below(content: Content, *heads: str) -> Content:
    return msgspec.structs.replace(content, text="\n".join(filter(None, (*heads, content.text))))


def _check_citations(block: GoFields, place: str) -> None:
    citations = GoFields("Citations", block.mapping("citations", "anthropic.Citations") or {})
    if citations.flag("enabled"):
        raise ParameterInvalid(f"{place}.citations: this server does not cite its sources")
