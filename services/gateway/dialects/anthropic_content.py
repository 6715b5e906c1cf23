"""Content of Anthropic's replies: thoughts, text and calls of tools as blocks, whole and streamed. Pure.

Thoughts carry an empty `signature`, a key that the official clients insist on: nothing here is signed or encrypted,
and thoughts that come back are taken as they are.
Source: Anthropic's Messages API reference (streaming).
"""

from typing import Final

import msgspec

from services.gateway import wire
from services.gateway.dialects.anthropic_tools import tool_use_id
from services.gateway.wire import encode
from shared.generation import Piece, ToolCall

PING: Final = wire.named_sse_event(b"ping", b'{"type":"ping"}')
_TEXT: Final = "text"
_THINKING: Final = "thinking"
_DELTA_END: Final = b"}}\n\n"


def content_blocks(piece: Piece, *, request_id: str, shows_thinking: bool) -> list[dict[str, object]]:
    """All that an answer holds, one block for each kind and each call."""
    blocks: list[dict[str, object]] = []
    if piece.thinking:
        blocks.append({**_empty(_THINKING), _THINKING: piece.thinking if shows_thinking else ""})
    if piece.text:
        blocks.append({"type": _TEXT, _TEXT: piece.text})
    for index, call in enumerate(piece.tool_calls):
        blocks.append(_tool_use(call, tool_use_id(call, request_id=request_id, index=index), call.arguments))
    return blocks


class ContentStream:
    """The events of a message's content. One block is open at a time, and each kind of content has blocks of its own:

    piece of an open block's kind   →  delta
    piece of another kind           →  stop (after a thought: its signature first), start, delta
    call of a tool                  →  stop, start, delta, stop

    Thoughts that are not shown have a block without deltas, and pings to say that something is going on.
    """

    def __init__(self, *, request_id: str, shows_thinking: bool) -> None:
        self._request_id = request_id
        self._shows_thinking = shows_thinking
        self._index = 0
        self._open = ""
        self._delta_head = b""
        self.calls_count = 0

    def events(self, piece: Piece) -> bytes:
        if self._open == _TEXT and piece.text and not piece.thinking and not piece.tool_calls:
            return self._delta_head + encode(piece.text) + _DELTA_END  # nearly every piece there is
        parts: list[bytes] = []
        if piece.thinking:
            parts += (self._opened(_THINKING), self._delta(piece.thinking) if self._shows_thinking else PING)
        if piece.text:
            parts += (self._opened(_TEXT), self._delta(piece.text))
        parts += (self._call(call) for call in piece.tool_calls)
        return b"".join(parts)

    def end(self) -> bytes:
        """Closes the open block, if there is one."""
        if not self._open:
            return b""
        signature = b""
        if self._open == _THINKING:
            signature = self._delta_event({"type": "signature_delta", "signature": ""})
        self._open = ""
        return signature + self._stop()

    def _opened(self, kind: str) -> bytes:
        if self._open == kind:
            return b""
        closed, self._open = self.end(), kind
        self._delta_head = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
            b'{"type":"%s_delta","%s":'
        ) % (self._index, kind.encode(), kind.encode())
        return closed + self._start(_empty(kind))

    def _call(self, call: ToolCall) -> bytes:
        use_id = tool_use_id(call, request_id=self._request_id, index=self.calls_count)
        self.calls_count += 1
        parts = (
            self.end(),
            self._start(_tool_use(call, use_id, "{}")),
            self._delta_event({"type": "input_json_delta", "partial_json": call.arguments}),
            self._stop(),
        )
        return b"".join(parts)

    def _start(self, block: dict[str, object]) -> bytes:
        return _event("content_block_start", {"index": self._index, "content_block": block})

    def _delta(self, text: str) -> bytes:
        return self._delta_head + encode(text) + _DELTA_END

    def _delta_event(self, delta: dict[str, str]) -> bytes:
        return _event("content_block_delta", {"index": self._index, "delta": delta})

    def _stop(self) -> bytes:
        stopped = _event("content_block_stop", {"index": self._index})
        self._index += 1
        return stopped


def _empty(kind: str) -> dict[str, object]:
    return {"type": kind, kind: "", **({"signature": ""} if kind == _THINKING else {})}


def _tool_use(call: ToolCall, use_id: str, json_input: str) -> dict[str, object]:
    return {"type": "tool_use", "id": use_id, "name": call.name, "input": msgspec.Raw(json_input)}


def _event(name: str, fields: dict[str, object]) -> bytes:
    return wire.named_sse_event(name.encode(), encode({"type": name, **fields}))
