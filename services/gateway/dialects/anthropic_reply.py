"""Anthropic's replies: messages whole and streamed, token counts, and the error envelope. Pure.

Tokens are counted as Anthropic counts them: `input_tokens` are those that had to be computed, and the rest of the
prompt is `cache_read_input_tokens`; programs add the two. (Ollama gives all of the prompt as `input_tokens`.)
Source: Anthropic's Messages API reference (streaming, errors).
"""

from collections.abc import Sequence
from typing import Final

from services.gateway import wire
from services.gateway.dialects.anthropic_content import PING, ContentStream, content_blocks
from services.gateway.reply import Answer, Outcome
from services.gateway.wire import encode
from shared.errors import ContextLengthExceeded, ErrorInfo, Kind
from shared.generation import DoneReason, Piece

REQUEST_ID_HEADER: Final = "request-id"
_TYPE_OF_KIND: Final = {
    Kind.INVALID: "invalid_request_error",
    Kind.CONFLICT: "invalid_request_error",
    Kind.UNSUPPORTED_MEDIA: "invalid_request_error",
    Kind.UNAUTHENTICATED: "authentication_error",
    Kind.FORBIDDEN: "permission_error",
    Kind.NOT_FOUND: "not_found_error",
    Kind.TOO_LARGE: "request_too_large",
    Kind.RATE_LIMITED: "rate_limit_error",
    Kind.UNAVAILABLE: "overloaded_error",
    Kind.DEADLINE: "timeout_error",
}
_MESSAGE_STOP: Final = wire.named_sse_event(b"message_stop", b'{"type":"message_stop"}')


class AnthropicReply:
    """One message. `stop_sequences` are the client's own: only they are told as the reason for an end.

    A stream begins before the prompt's tokens are counted: its first event tells `prompt_tokens_estimate`, its last
    but one the true number.
    """

    stream_content_type = wire.EVENT_STREAM
    whole_content_type = "application/json"

    def __init__(
        self,
        model: str,
        *,
        request_id: str,
        stop_sequences: Sequence[str],
        prompt_tokens_estimate: int,
        shows_thinking: bool = True,
    ) -> None:
        self._model = model
        self._request_id = request_id
        self._stop_sequences = stop_sequences
        self._prompt_tokens_estimate = prompt_tokens_estimate
        self._shows_thinking = shows_thinking
        self._has_begun = False
        self._content = ContentStream(request_id=request_id, shows_thinking=shows_thinking)

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        told = self._content.events(piece)
        return told if self._has_begun else self._beginning() + told

    def heartbeat(self) -> bytes:
        return self._beginning() + PING

    def end(self, outcome: Outcome, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        change = {
            "type": "message_delta",
            "delta": self._stop(outcome, self._content.calls_count),
            "usage": _usage(outcome),
            **outcome.losses(),
        }
        told = wire.named_sse_event(b"message_delta", encode(change))
        return b"".join((self._beginning(), self._content.end(), told, _MESSAGE_STOP))

    def stream_error(self, error: ErrorInfo) -> bytes:
        return wire.named_sse_event(b"error", encode(error_envelope(error, self._request_id)))

    def whole(self, answers: Sequence[Answer]) -> bytes:
        (answer,) = answers
        outcome, piece = answer.outcome, answer.piece
        message = {
            **self._message(content_blocks(piece, request_id=self._request_id, shows_thinking=self._shows_thinking)),
            **self._stop(outcome, len(piece.tool_calls)),
            "usage": _usage(outcome),
            **outcome.losses(),
        }
        return encode(message)

    def _beginning(self) -> bytes:
        """The first event, once."""
        if self._has_begun:
            return b""
        self._has_begun = True
        message = {
            **self._message([]),
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _token_counts(prompt=self._prompt_tokens_estimate, cached=0, generated=0),
        }
        return wire.named_sse_event(b"message_start", encode({"type": "message_start", "message": message}))

    def _message(self, content: list[dict[str, object]]) -> dict[str, object]:
        return {
            "id": f"msg_{self._request_id}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
        }

    def _stop(self, outcome: Outcome, calls_count: int) -> dict[str, str | None]:
        if calls_count:
            return {"stop_reason": "tool_use", "stop_sequence": None}
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
        "error": {"type": _TYPE_OF_KIND.get(error.kind, "api_error"), "message": _message_of(error)},
        "request_id": request_id_of(request_id),
    }


def _usage(outcome: Outcome) -> dict[str, int]:
    usage = outcome.usage
    return _token_counts(prompt=usage.prompt_tokens, cached=usage.cached_tokens, generated=usage.generated_tokens)


def _token_counts(*, prompt: int, cached: int, generated: int) -> dict[str, int]:
    return {
        "input_tokens": prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": generated,
    }


def _message_of(error: ErrorInfo) -> str:
    """Programs know a conversation that is too long by Anthropic's words for it, and make it shorter."""
    if error.code == ContextLengthExceeded.code:
        return f"prompt is too long: {error.detail['prompt_tokens']} tokens > {error.detail['context_tokens']} maximum"
    return error.message
