"""Ollama's replies: chunks and whole bodies of `/api/generate` and `/api/chat`. Pure, apart from the time of day.

A chunk is put together from parts encoded once per reply, because this runs once for every token of every stream.
"""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway import wire
from services.gateway.dialects.logprobs import logprob_objects
from services.gateway.reply import Answer, Outcome
from services.gateway.timestamps import Stamper
from shared.errors import ErrorInfo
from shared.generation import DoneReason, Piece, TokenLogprob

_encode = msgspec.json.Encoder().encode
_stamper = Stamper()

WHOLE: Final = "application/json; charset=utf-8"


class OllamaReply:
    """`before` and `after` are the JSON around the text: a string for generate, a message for chat."""

    stream_content_type = wire.NDJSON
    whole_content_type = WHOLE

    def __init__(self, model: str, *, before: bytes, after: bytes) -> None:
        self._head = b'{"model":' + _encode(model) + b',"created_at":"'
        self._before = b'",' + before
        self._after = after
        self._chunk_end = after + b',"done":false}\n'

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        end = self._after + _told(piece.logprobs) + b',"done":false}\n' if piece.logprobs else self._chunk_end
        return b"".join((self._head, _now(), self._before, _encode(piece.text), end))

    def heartbeat(self) -> bytes:
        """A chunk without text: clients take a blank line for an error."""
        return self.delta(Piece())

    def end(self, outcome: Outcome, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        return wire.ndjson_line(self._last(Piece(), outcome))

    def stream_error(self, error: ErrorInfo) -> bytes:
        return wire.ndjson_line(_encode({"error": error.message}))

    def whole(self, answers: Sequence[Answer]) -> bytes:
        (answer,) = answers
        return self._last(answer.piece, answer.outcome)

    def _last(self, piece: Piece, outcome: Outcome) -> bytes:
        if outcome.reason is DoneReason.LOAD:
            return self.without_generation(outcome.reason)
        facts = _encode(_facts(outcome))
        after = self._after + _told(piece.logprobs)
        return b"".join((self._head, _now(), self._before, _encode(piece.text), after, b',"done":true,', facts[1:]))

    def without_generation(self, reason: DoneReason) -> bytes:
        """The one object that answers a load or an unload."""
        facts = _encode({"done_reason": reason})
        return b"".join((self._head, _now(), self._before, b'""', self._after, b',"done":true,', facts[1:]))


def generate_reply(model: str) -> OllamaReply:
    return OllamaReply(model, before=b'"response":', after=b"")


def chat_reply(model: str) -> OllamaReply:
    return OllamaReply(model, before=b'"message":{"role":"assistant","content":', after=b"}")


def _told(logprobs: Sequence[TokenLogprob]) -> bytes:
    """Their field, with a comma in front; nothing when there are none."""
    return b',"logprobs":' + _encode(logprob_objects(logprobs, always_with_top=False)) if logprobs else b""


def _now() -> bytes:
    return _stamper.at(time.time_ns()).encode("ascii")


def _facts(outcome: Outcome) -> dict[str, object]:
    """The last chunk's fields; Ollama leaves out those that are zero or empty."""
    usage = outcome.usage
    facts: dict[str, object] = {
        "done_reason": outcome.reason,
        "total_duration": outcome.total_ns,
        "load_duration": outcome.load_ns,
        "prompt_eval_count": usage.prompt_tokens,
        "prompt_eval_duration": _spent(usage.prompt_ns, usage.prompt_tokens),
        "eval_count": usage.generated_tokens,
        "eval_duration": _spent(usage.decode_ns, usage.generated_tokens),
        "context": outcome.context,
        "dropped_messages_count": outcome.dropped_messages_count,
    }
    return {name: value for name, value in facts.items() if value}


def _spent(duration_ns: int, tokens: int) -> int:
    """Clients divide by it, and tell from its absence that nothing was done: never zero for tokens there were."""
    return max(duration_ns, 1) if tokens else 0
