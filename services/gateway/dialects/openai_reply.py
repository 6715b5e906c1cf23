"""OpenAI's replies: chat completions whole and streamed, the model list, and the error envelope. Pure."""

from typing import Final

import msgspec

from services.gateway import wire
from services.gateway.reply import Outcome
from shared.errors import ErrorInfo, Kind
from shared.generation import DoneReason, Usage
from shared.model_index import ModelEntry

_encode = msgspec.json.Encoder().encode

FINGERPRINT: Final = "fp_ollama"
_TYPE_OF_KIND: Final = {
    Kind.INVALID: "invalid_request_error",
    Kind.NOT_FOUND: "not_found_error",
}


class OpenAiReply:
    """One chat completion; `completion_id` and `created` are the same in all its chunks."""

    stream_content_type = wire.EVENT_STREAM
    whole_content_type = "application/json"

    def __init__(self, model: str, *, completion_id: str, created_unix_s: int, include_usage: bool) -> None:
        self._model = model
        self._id = completion_id
        self._created = created_unix_s
        self._include_usage = include_usage
        self._has_begun = False
        head = self._object("chat.completion.chunk")
        self._head = _encode(head)[:-1]  # open: the choices follow
        self._delta_head = b"data: " + self._head + b',"choices":[{"index":0,"delta":{"content":'
        self._first_head = b"data: " + self._head + b',"choices":[{"index":0,"delta":{"role":"assistant","content":'
        self._delta_tail = b'},"finish_reason":null}]}\n\n'

    def delta(self, text: str) -> bytes:
        head = self._delta_head if self._has_begun else self._first_head
        self._has_begun = True
        return b"".join((head, _encode(text), self._delta_tail))

    def end(self, outcome: Outcome) -> bytes:
        """The first chunk if there was no text, the finish chunk, the usage if it was asked for, and the end mark."""
        frames = [] if self._has_begun else [self.delta("")]
        finish = [{"index": 0, "delta": {}, "finish_reason": _finish_reason(outcome.reason)}]
        frames.append(self._chunk({"choices": finish, **_dropped(outcome)}))
        if self._include_usage:
            frames.append(self._chunk({"choices": [], "usage": _usage(outcome.usage)}))
        return b"".join((*frames, wire.SSE_DONE))

    def stream_error(self, error: ErrorInfo) -> bytes:
        return wire.sse_event(_encode(error_envelope(error)))

    def whole(self, text: str, outcome: Outcome) -> bytes:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": _finish_reason(outcome.reason),
        }
        return _encode(
            {
                **self._object("chat.completion"),
                "choices": [choice],
                "usage": _usage(outcome.usage),
                **_dropped(outcome),
            }
        )

    def _object(self, name: str) -> dict[str, object]:
        return {
            "id": self._id,
            "object": name,
            "created": self._created,
            "model": self._model,
            "system_fingerprint": FINGERPRINT,
        }

    def _chunk(self, rest: dict[str, object]) -> bytes:
        return wire.sse_event(self._head + b"," + _encode(rest)[1:])


def error_envelope(error: ErrorInfo) -> dict[str, object]:
    """The error as OpenAI's clients read it, with the types Ollama gives."""
    kind = _TYPE_OF_KIND.get(error.kind, "api_error")
    return {"error": {"message": error.message, "type": kind, "param": None, "code": None}}


def model_object(model_id: str, entry: ModelEntry) -> dict[str, object]:
    return {
        "id": model_id,
        "object": "model",
        "created": entry.modified_unix_ms // 1000,
        "owned_by": entry.name.namespace,
    }


def model_list(entries: list[ModelEntry]) -> dict[str, object]:
    """All models; without any `data` is null, as Ollama has it."""
    return {"object": "list", "data": [model_object(entry.name.short, entry) for entry in entries] or None}


def _finish_reason(reason: DoneReason) -> str:
    return "length" if reason is DoneReason.LENGTH else "stop"


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.generated_tokens,
        "total_tokens": usage.prompt_tokens + usage.generated_tokens,
    }


def _dropped(outcome: Outcome) -> dict[str, object]:
    """Truncation is never silent: how many messages were left out, when any were."""
    count = outcome.dropped_messages_count
    return {"dropped_messages_count": count} if count else {}
