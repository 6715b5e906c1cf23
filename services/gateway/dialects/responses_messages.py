"""From the items of a response's conversation to the messages that a chat template knows. Pure.

Source: Ollama `openai/responses.go` (FromResponsesRequest): thoughts belong to the assistant's message that follows
them, and calls of tools to the assistant's message before them.
"""

from collections.abc import Sequence

import msgspec

from services.gateway.dialects.responses_items import (
    CallItem,
    ImagePart,
    Item,
    MessageItem,
    Part,
    ReasoningItem,
    Reference,
    ResultItem,
    TextPart,
    qualified,
)
from shared.errors import ParameterInvalid
from shared.generation import Message, ToolCall


def messages_of(items: Sequence[Item]) -> tuple[Message, ...]:
    """Raises: ParameterInvalid for a reference to an item that nobody knows."""
    writer = _Writer()
    for item in items:
        writer.add(item)
    return writer.finished()


class _Writer:
    """The messages so far, the calls of the newest, and thoughts that wait for the message they led to.

    Calls, and the thoughts before them, are put in their message when it is over: to do so one by one would copy all
    those before it each time.
    """

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._calls: list[ToolCall] = []
        self._thoughts_of_calls: list[str] = []
        self._thoughts: list[str] = []
        self._tool_names: dict[str, str] = {}

    def add(self, item: Item) -> None:
        match item:
            case MessageItem(role="assistant", parts=parts):
                self._add(Message("assistant", _text(parts), thinking=self._taken_thinking(), images=_images(parts)))
            case MessageItem(role=role, parts=parts):
                # A developer is who OpenAI's older models called the system.
                self._add(Message("system" if role == "developer" else role, _text(parts), images=_images(parts)))
            case CallItem():
                self._add_call(item)
            case ResultItem(call_id=call_id, parts=parts):
                name = self._tool_names.get(call_id, "")
                self._add(Message("tool", _text(parts), tool_name=name, tool_call_id=call_id, images=_images(parts)))
            case ReasoningItem(thinking=thinking):
                self._thoughts.append(thinking)
            case Reference(item_id=item_id):
                raise ParameterInvalid(f"Item with id '{item_id}' not found.")

    def finished(self) -> tuple[Message, ...]:
        if thinking := self._taken_thinking():
            self._add(Message("assistant", "", thinking=thinking))
        self._end_calls()
        return tuple(self._messages)

    def _add(self, message: Message) -> None:
        self._end_calls()
        self._messages.append(message)

    def _add_call(self, item: CallItem) -> None:
        call = ToolCall(qualified(item.namespace, item.name), item.arguments, item.call_id)
        self._tool_names[call.call_id] = call.name
        if not self._messages or self._messages[-1].role != "assistant":
            self._add(Message("assistant", ""))
        self._calls.append(call)
        self._thoughts_of_calls.append(self._taken_thinking())

    def _end_calls(self) -> None:
        if not self._calls:
            return
        said = self._messages[-1]
        self._messages[-1] = msgspec.structs.replace(
            said, tool_calls=tuple(self._calls), thinking=said.thinking + "".join(self._thoughts_of_calls)
        )
        self._calls, self._thoughts_of_calls = [], []

    def _taken_thinking(self) -> str:
        thinking, self._thoughts = "".join(self._thoughts), []
        return thinking


def _text(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def _images(parts: Sequence[Part]) -> tuple[bytes, ...]:
    return tuple(part.image for part in parts if isinstance(part, ImagePart))
