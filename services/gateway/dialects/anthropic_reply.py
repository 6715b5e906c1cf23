"""Anthropic's replies: messages whole and streamed, token counts, and the error envelope. Pure.

Source: Anthropic's Messages API reference (streaming, errors).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway import wire
from services.gateway.reply import Answer, Outcome
from shared.errors import ErrorInfo, Kind
from shared.generation import DoneReason, Piece

_encode = msgspec.json.Encoder().encode

REQUEST_ID_HEADER: Final = "request-id"
_TYPE_OF_KIND: Final = {
    Kind.INVALID: "invalid_request_error",
    Kind.CONFLICT: "invalid_request_error",
    Kind.UNAUTHENTICATED: "authentication_error",
    Kind.FORBIDDEN: "permission_error",
    Kind.NOT_FOUND: "not_found_error",
    Kind.TOO_LARGE: "request_too_large",
    Kind.RATE_LIMITED: "rate_limit_error",
    Kind.UNAVAILABLE: "overloaded_error",
    Kind.DEADLINE: "timeout_error",
}
_PING: Final = wire.named_sse_event(b"ping", b'{"type":"ping"}')
_MESSAGE_STOP: Final = wire.named_sse_event(b"message_stop", b'{"type":"message_stop"}')
_BLOCK_STOP: Final = wire.named_sse_event(b"content_block_stop", b'{"type":"content_block_stop","index":0}')
_BLOCK_START: Final = wire.named_sse_event(
    b"content_block_start",
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
)
_DELTA_HEAD: Final = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
)


class AnthropicReply:
    """One message. `stop_sequences` are the client's own: only they are told as the reason for an end.

    A stream begins before the prompt's tokens are counted: its first event tells `prompt_tokens_estimate`, its last
    but one the true number.
    """

    stream_content_type = wire.EVENT_STREAM
    whole_content_type = "application/json"

    def __init__(
        self, model: str, *, request_id: str, stop_sequences: Sequence[str], prompt_tokens_estimate: int
    ) -> None:
        self._model = model
        self._request_id = request_id
        self._stop_sequences = stop_sequences
        self._prompt_tokens_estimate = prompt_tokens_estimate
        self._has_begun = False
        self._has_text = False

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        told = _DELTA_HEAD + _encode(piece.text) + b"}}\n\n"
        if self._has_text:
            return told
        self._has_text = True
        return self._beginning() + _BLOCK_START + told

    def heartbeat(self) -> bytes:
        return self._beginning() + _PING

    def end(self, outcome: Outcome, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        change = {
            "type": "message_delta",
            "delta": self._stop(outcome),
            "usage": _usage(outcome),
            **_dropped(outcome),
        }
        block_stop = _BLOCK_STOP if self._has_text else b""
        return b"".join(
            (self._beginning(), block_stop, wire.named_sse_event(b"message_delta", _encode(change)), _MESSAGE_STOP)
        )

    def stream_error(self, error: ErrorInfo) -> bytes:
        return wire.named_sse_event(b"error", _encode(error_envelope(error, self._request_id)))

    def whole(self, answers: Sequence[Answer]) -> bytes:
        (answer,) = answers
        outcome = answer.outcome
        content = [{"type": "text", "text": answer.piece.text}] if answer.piece.text else []
        return _encode({**self._message(content), **self._stop(outcome), "usage": _usage(outcome), **_dropped(outcome)})

    def _beginning(self) -> bytes:
        """The first event, once."""
        if self._has_begun:
            return b""
        self._has_begun = True
        message = {
            **self._message([]),
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": self._prompt_tokens_estimate, "output_tokens": 0},
        }
        return wire.named_sse_event(b"message_start", _encode({"type": "message_start", "message": message}))

    def _message(self, content: list[dict[str, str]]) -> dict[str, object]:
        return {
            "id": f"msg_{self._request_id}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
        }

    def _stop(self, outcome: Outcome) -> dict[str, str | None]:
        if outcome.stop_string and outcome.stop_string in self._stop_sequences:
            return {"stop_reason": "stop_sequence", "stop_sequence": outcome.stop_string}
        is_cut = outcome.reason is DoneReason.LENGTH
        return {"stop_reason": "max_tokens" if is_cut else "end_turn", "stop_sequence": None}


def request_id_of(request_id: str) -> str:
    """A request's id as Anthropic writes it."""
    return f"req_{request_id}"


def error_envelope(error: ErrorInfo, request_id: str) -> dict[str, object]:
    return {
        "type": "error",
        "error": {"type": _TYPE_OF_KIND.get(error.kind, "api_error"), "message": error.message},
        "request_id": request_id_of(request_id),
    }


def _usage(outcome: Outcome) -> dict[str, int]:
    return {"input_tokens": outcome.usage.prompt_tokens, "output_tokens": outcome.usage.generated_tokens}


def _dropped(outcome: Outcome) -> dict[str, object]:
    """Truncation is never silent: how many messages were left out, when any were."""
    count = outcome.dropped_messages_count
    return {"dropped_messages_count": count} if count else {}
