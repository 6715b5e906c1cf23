"""The output of a response while it is written: items that are opened, grow and are closed, each step an event. Pure.

Items follow the answer: one for thoughts, one for text and one for each call, in the order in which they come, and a
new one wherever the kind changes. Of log-probabilities only those of text have a place. Ollama tells no
`reasoning_summary_part` events, which OpenAI's clients wait for, and drops text that follows a call.
Source: OpenAI's API reference (Responses, streaming events).
"""

from collections.abc import Mapping
from typing import Final

from services.gateway import wire
from services.gateway.dialects.logprobs import logprob_objects
from services.gateway.dialects.responses_items import summary
from services.gateway.wire import encode
from shared.generation import Piece, ToolCall

COMPLETED: Final = "completed"
INCOMPLETE: Final = "incomplete"
IN_PROGRESS: Final = "in_progress"
_TEXT_DELTA: Final = "response.output_text.delta"
_THOUGHT_DELTA: Final = "response.reasoning_summary_text.delta"


class Events:
    """Events of one stream, numbered from zero."""

    def __init__(self) -> None:
        self._count = 0

    def event(self, kind: str, fields: Mapping[str, object]) -> bytes:
        return wire.named_sse_event(kind.encode(), encode({"type": kind, "sequence_number": self._next(), **fields}))

    def event_with_text(self, head: bytes, text: str) -> bytes:
        """The event that `head` begins, with `text` as its delta."""
        return b'%b%b,"sequence_number":%d}\n\n' % (head, encode(text), self._next())

    def _next(self) -> int:
        number = self._count
        self._count += 1
        return number


def text_head(kind: str, place: Mapping[str, object]) -> bytes:
    """The beginning of all deltas of one item, which differ in their text and number alone."""
    return b'event: %b\ndata: %b,"delta":' % (kind.encode(), encode({"type": kind, **place})[:-1])


class Thoughts:
    """A reasoning item that grows."""

    def __init__(self, events: Events, item_id: str, index: int) -> None:
        self._events = events
        self._item_id = item_id
        self._index = index
        self._texts: list[str] = []
        self._place = {"item_id": item_id, "output_index": index, "summary_index": 0}
        self._head = text_head(_THOUGHT_DELTA, self._place)

    def opened(self) -> bytes:
        item = {"id": self._item_id, "type": "reasoning", "status": IN_PROGRESS, "summary": []}
        part = {**self._place, "part": {"type": "summary_text", "text": ""}}
        return self._events.event(
            "response.output_item.added", {"output_index": self._index, "item": item}
        ) + self._events.event("response.reasoning_summary_part.added", part)

    def grown(self, thinking: str) -> bytes:
        self._texts.append(thinking)
        return self._events.event_with_text(self._head, thinking)

    def item(self, status: str) -> dict[str, object]:
        """The thoughts so far; they are readable, encrypted is only what OpenAI calls them."""
        thinking = "".join(self._texts)
        return {
            "id": self._item_id,
            "type": "reasoning",
            "status": status,
            "summary": summary(thinking),
            "encrypted_content": thinking,
        }

    def closed(self, item: Mapping[str, object]) -> bytes:
        text = "".join(self._texts)
        event = self._events.event
        return b"".join(
            (
                event("response.reasoning_summary_text.done", {**self._place, "text": text}),
                event(
                    "response.reasoning_summary_part.done",
                    {**self._place, "part": {"type": "summary_text", "text": text}},
                ),
                event("response.output_item.done", {"output_index": self._index, "item": item}),
            )
        )


class Text:
    """A message that grows."""

    def __init__(self, events: Events, item_id: str, index: int) -> None:
        self._events = events
        self._item_id = item_id
        self._index = index
        self._texts: list[str] = []
        self._logprobs: list[dict[str, object]] = []
        self._place = {"item_id": item_id, "output_index": index, "content_index": 0}
        self._head = text_head(_TEXT_DELTA, {**self._place, "logprobs": ()})

    def opened(self) -> bytes:
        item = self._item(IN_PROGRESS, [])
        return self._events.event(
            "response.output_item.added", {"output_index": self._index, "item": item}
        ) + self._events.event("response.content_part.added", {**self._place, "part": self._part()})

    def grown(self, piece: Piece) -> bytes:
        self._texts.append(piece.text)
        if not piece.logprobs:
            return self._events.event_with_text(self._head, piece.text)
        told = logprob_objects(piece.logprobs, always_with_top=True)
        self._logprobs += told
        return self._events.event(_TEXT_DELTA, {**self._place, "delta": piece.text, "logprobs": told})

    def item(self, status: str) -> dict[str, object]:
        return self._item(status, [self._part()])

    def closed(self, item: Mapping[str, object]) -> bytes:
        part = self._part()
        event = self._events.event
        return b"".join(
            (
                event(
                    "response.output_text.done",
                    {**self._place, "text": part["text"], "logprobs": part["logprobs"]},
                ),
                event("response.content_part.done", {**self._place, "part": part}),
                event("response.output_item.done", {"output_index": self._index, "item": item}),
            )
        )

    def _item(self, status: str, content: list[dict[str, object]]) -> dict[str, object]:
        return {
            "id": self._item_id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def _part(self) -> dict[str, object]:
        return {
            "type": "output_text",
            "text": "".join(self._texts),
            "annotations": [],
            "logprobs": self._logprobs,
        }


def call_events(events: Events, item: dict[str, object], index: int) -> bytes:
    """A call from beginning to end: calls come whole."""
    place = {"item_id": item["id"], "output_index": index}
    arguments = item["arguments"]
    begun = {**item, "status": IN_PROGRESS, "arguments": ""}
    return b"".join(
        (
            events.event("response.output_item.added", {"output_index": index, "item": begun}),
            events.event("response.function_call_arguments.delta", {**place, "delta": arguments}),
            events.event(
                "response.function_call_arguments.done", {**place, "name": item["name"], "arguments": arguments}
            ),
            events.event("response.output_item.done", {"output_index": index, "item": item}),
        )
    )


def call_item(item_id: str, call_id: str, call: ToolCall, namespaces: Mapping[str, str]) -> dict[str, object]:
    """`namespaces` are those of the tools that have one, by their whole names."""
    namespace = namespaces.get(call.name, "")
    return {
        "id": item_id,
        "type": "function_call",
        "status": COMPLETED,
        "call_id": call_id,
        "name": call.name.removeprefix(f"{namespace}.") if namespace else call.name,
        **({"namespace": namespace} if namespace else {}),
        "arguments": call.arguments,
    }
