"""OpenAI's responses as bytes, whole and streamed. Pure.

The order of events is OpenAI's, of which Ollama tells the greater part. Where Ollama calls every response completed,
one that was cut says that it is incomplete, and why. What fails after the first byte ends with an `error` event and
`response.failed`. `reasoning_tokens` is 0: thoughts are generated tokens like others and are not counted apart.
Source: OpenAI's API reference (Responses, streaming events); Ollama `openai/responses.go`.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

import msgspec

from services.gateway import wire
from services.gateway.dialects.responses_ids import response_id_of
from services.gateway.dialects.responses_output import (
    COMPLETED,
    IN_PROGRESS,
    INCOMPLETE,
    Events,
    Text,
    Thoughts,
    call_events,
    call_item,
)
from services.gateway.reply import Answer, Outcome
from services.gateway.wire import encode
from shared.errors import ErrorInfo, Kind
from shared.generation import DoneReason, Piece, ToolCall, Usage, joined

_HEARTBEAT: Final = b": waiting\n\n"
_CODE_OF_KIND: Final = {Kind.INVALID: "invalid_prompt", Kind.RATE_LIMITED: "rate_limit_exceeded"}
_FAILED: Final = "failed"


class ResponseHead(msgspec.Struct, frozen=True, kw_only=True):
    """Which response this is, and what of its request it repeats. `namespaces` are those of the tools with one."""

    request_id: str
    created_unix_s: int
    repeated: dict[str, object]
    namespaces: dict[str, str] = {}


class ResponsesReply:
    """One response. `is_kept` is told in every event; a stream's last one is told apart from the end of its answer, so
    that the response can be kept before anybody refers to it.
    """

    stream_content_type = wire.EVENT_STREAM
    whole_content_type = "application/json"

    def __init__(self, head: ResponseHead, *, is_kept: bool) -> None:
        self.response_id = response_id_of(head.request_id)
        self.is_kept = is_kept
        self.ended: dict[str, object] | None = None
        """The response once it has ended well, without `store`."""
        self._head = head
        self._events = Events()
        self._has_begun = False
        self._open: Thoughts | Text | None = None
        self._output: list[dict[str, object]] = []

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        assert index == 0, "a response has one answer"
        frames = [self._beginning()]
        if piece.thinking:
            frames.append(self._thoughts(piece.thinking))
        is_of_text = not piece.thinking and not piece.tool_calls and isinstance(self._open, Text)
        if piece.text or (piece.logprobs and is_of_text):
            frames.append(self._text(piece))
        frames.extend(self._call(call) for call in piece.tool_calls)
        return b"".join(frames)

    def heartbeat(self) -> bytes:
        return self._beginning() + _HEARTBEAT

    def end(self, outcome: Outcome, index: int = 0) -> bytes:
        """The end of the answer; `last_event` ends the stream."""
        assert index == 0, "a response has one answer"
        is_cut = outcome.reason is DoneReason.LENGTH
        status = INCOMPLETE if is_cut else COMPLETED
        frames = [self._beginning()]
        if not self._has_answer():
            frames.append(self._text(Piece()))
        frames.append(self._closed(status))
        self.ended = self._object(
            status,
            self._output,
            completed_at=None if is_cut else self._head.created_unix_s + outcome.total_ns // 1_000_000_000,
            incomplete_details={"reason": "max_output_tokens"} if is_cut else None,
            usage=_usage(outcome.usage),
            **outcome.losses(),
        )
        return b"".join(frames)

    def last_event(self) -> bytes:
        """The whole response as the event that ends a stream; nothing where an error has ended it."""
        if self.ended is None:
            return b""
        return self._events.event(f"response.{self.ended['status']}", {"response": self._with_store(self.ended)})

    def body(self) -> bytes:
        """The whole response, unstreamed."""
        assert self.ended is not None, "an answer has an end"
        return encode(self._with_store(self.ended))

    def whole(self, answers: Sequence[Answer]) -> bytes:
        """What a stream of the same pieces ends with."""
        (answer,) = answers
        for piece in _runs(answer.pieces):
            self.delta(piece)
        self.end(answer.outcome)
        return self.body()

    def stream_error(self, error: ErrorInfo) -> bytes:
        problem = {"code": _CODE_OF_KIND.get(error.kind, "server_error"), "message": error.message}
        unfinished = [self._open.item(INCOMPLETE)] if self._open else []
        failed = self._object(_FAILED, [*self._output, *unfinished], error=problem)
        return b"".join(
            (
                self._beginning(),
                self._events.event("error", {**problem, "param": None}),
                self._events.event("response.failed", {"response": self._with_store(failed)}),
            )
        )

    def _beginning(self) -> bytes:
        """The first events, once."""
        if self._has_begun:
            return b""
        self._has_begun = True
        response = {"response": self._with_store(self._object(IN_PROGRESS, []))}
        return self._events.event("response.created", response) + self._events.event("response.in_progress", response)

    def _thoughts(self, thinking: str) -> bytes:
        if isinstance(self._open, Thoughts):
            return self._open.grown(thinking)
        closed = self._closed(COMPLETED)
        opened = Thoughts(self._events, self._item_id("rs"), len(self._output))
        self._open = opened
        return closed + opened.opened() + opened.grown(thinking)

    def _text(self, piece: Piece) -> bytes:
        if isinstance(self._open, Text):
            return self._open.grown(piece)
        closed = self._closed(COMPLETED)
        opened = Text(self._events, self._item_id("msg"), len(self._output))
        self._open = opened
        return closed + opened.opened() + (opened.grown(piece) if piece else b"")

    def _call(self, call: ToolCall) -> bytes:
        closed = self._closed(COMPLETED)
        call_id = call.call_id or self._item_id("call")
        item = call_item(self._item_id("fc"), call_id, call, self._head.namespaces)
        self._output.append(item)
        return closed + call_events(self._events, item, len(self._output) - 1)

    def _closed(self, status: str) -> bytes:
        """The end of the item that is open, if one is."""
        if self._open is None:
            return b""
        item = self._open.item(status)
        closed = self._open.closed(item)
        self._output.append(item)
        self._open = None
        return closed

    def _has_answer(self) -> bool:
        """Whether there is more than thoughts: an answer without calls has a message, be it an empty one."""
        return isinstance(self._open, Text) or any(item["type"] != "reasoning" for item in self._output)

    def _item_id(self, kind: str) -> str:
        return f"{kind}_{self._head.request_id}_{len(self._output)}"

    def _with_store(self, response: Mapping[str, object]) -> dict[str, object]:
        return {**response, "store": self.is_kept}

    def _object(self, status: str, output: Sequence[Mapping[str, object]], **changes: object) -> dict[str, object]:
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self._head.created_unix_s,
            "completed_at": None,
            "status": status,
            "error": None,
            "incomplete_details": None,
            **self._head.repeated,
            "output": output,
            "usage": None,
            **changes,
        }


def _usage(usage: Usage) -> dict[str, object]:
    """Nothing is written to a cache for a later request on purpose, so no tokens count as written to it."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.generated_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.generated_tokens,
    }


def _runs(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """The pieces with those of one kind that stand together made one; the same answer in fewer steps."""
    for kinds, run in groupby(pieces, key=_kinds):
        if sum(kinds) > 1:
            yield from run
        else:
            yield joined(list(run))


def _kinds(piece: Piece) -> tuple[bool, bool, bool]:
    return bool(piece.text), bool(piece.thinking), bool(piece.tool_calls)
