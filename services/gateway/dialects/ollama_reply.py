"""Ollama's replies: chunks and whole bodies of `/api/generate` and `/api/chat`. Pure, apart from the time of day.

A chunk is put together from parts encoded once per reply, because this runs once for every token of every stream.
Thoughts, text and calls of tools never share a chunk, so that clients see them in the order they came.
"""

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from services.gateway import wire
from services.gateway.dialects.logprobs import logprob_objects
from services.gateway.reply import Answer, Outcome
from services.gateway.timestamps import Stamper
from services.gateway.wire import encode
from shared.errors import ErrorInfo
from shared.generation import DoneReason, Piece, TokenLogprob, ToolCall

_stamper = Stamper()

WHOLE: Final = "application/json; charset=utf-8"


class OllamaReply:
    """`around` is the JSON before and after the text, which is a field in generate and in a message in chat.

    With `calls_at_end` a stream tells the calls of tools in its last chunk only, as generate does.
    """

    stream_content_type = wire.NDJSON
    whole_content_type = WHOLE

    def __init__(self, model: str, around: tuple[bytes, bytes], *, calls_at_end: bool = False) -> None:
        before, after = around
        self._head = b'{"model":' + encode(model) + b',"created_at":"'
        self._before = b'",' + before
        self._after = after
        self._calls_at_end = calls_at_end
        self._calls_kept: tuple[ToolCall, ...] = ()
        self._calls_told = 0

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        calls = piece.tool_calls
        if self._calls_at_end:
            self._calls_kept += calls
            calls = ()
        chunks: list[tuple[str, bytes]] = []
        if piece.thinking:
            chunks.append(("", _thought(piece.thinking)))
        if piece.text:
            chunks.append((piece.text, b""))
        if calls:
            chunks.append(("", _called(calls, first_index=self._calls_told)))
            self._calls_told += len(calls)
        if not chunks:
            chunks.append(("", b""))
        return b"".join(
            self._chunk(text, more, () if position else piece.logprobs) for position, (text, more) in enumerate(chunks)
        )

    def heartbeat(self) -> bytes:
        """A chunk without text: clients take a blank line for an error."""
        return self._chunk("", b"", ())

    def end(self, outcome: Outcome, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        return wire.ndjson_line(self._last(Piece(tool_calls=self._calls_kept), outcome))

    def stream_error(self, error: ErrorInfo) -> bytes:
        return wire.ndjson_line(encode({"error": error.message}))

    def whole(self, answers: Sequence[Answer]) -> bytes:
        (answer,) = answers
        return self._last(answer.piece, answer.outcome)

    def _chunk(self, text: str, more: bytes, logprobs: Sequence[TokenLogprob]) -> bytes:
        return self._answer(text, more) + _told(logprobs) + b',"done":false}\n'

    def _last(self, piece: Piece, outcome: Outcome) -> bytes:
        if outcome.reason is DoneReason.LOAD:
            return self.without_generation(outcome.reason)
        more = _thought(piece.thinking) + _called(piece.tool_calls, first_index=0)
        facts = encode(_facts(outcome))
        return self._answer(piece.text, more) + _told(piece.logprobs) + b',"done":true,' + facts[1:]

    def without_generation(self, reason: DoneReason) -> bytes:
        """The one object that answers a load or an unload."""
        return self._answer("", b"") + b',"done":true,' + encode({"done_reason": reason})[1:]

    def _answer(self, text: str, more: bytes) -> bytes:
        """The object up to its answer, still open; `more` stands beside the text."""
        return b"".join((self._head, _now(), self._before, encode(text), more, self._after))


class RenderedReply(OllamaReply):
    """The answer to a request that only wants to see its prompt, which `whole` takes as the answer's text."""

    def __init__(self, model: str, around: tuple[bytes, bytes], *, images_count: int) -> None:
        super().__init__(model, around)
        self._images_count = images_count

    def whole(self, answers: Sequence[Answer]) -> bytes:
        (answer,) = answers
        if answer.outcome.reason is DoneReason.LOAD:
            return super().whole(answers)
        images = {"image_count": self._images_count} if self._images_count else {}
        info = encode({"rendered_template": answer.piece.text, **images})
        return self._answer("", b"") + b',"done":false,"_debug_info":' + info + b"}"


_IN_GENERATE: Final = (b'"response":', b"")
_IN_CHAT: Final = (b'"message":{"role":"assistant","content":', b"}")


def generate_reply(model: str) -> OllamaReply:
    return OllamaReply(model, _IN_GENERATE, calls_at_end=True)


def chat_reply(model: str) -> OllamaReply:
    return OllamaReply(model, _IN_CHAT)


def rendered_generate_reply(model: str, *, images_count: int) -> OllamaReply:
    return RenderedReply(model, _IN_GENERATE, images_count=images_count)


def rendered_chat_reply(model: str, *, images_count: int) -> OllamaReply:
    return RenderedReply(model, _IN_CHAT, images_count=images_count)


def _thought(thinking: str) -> bytes:
    """Its field, with a comma in front; nothing when there is none. So with the others below."""
    return b',"thinking":' + encode(thinking) if thinking else b""


def _called(calls: Sequence[ToolCall], *, first_index: int) -> bytes:
    return b',"tool_calls":' + encode([_call(call, first_index + i) for i, call in enumerate(calls)]) if calls else b""


def _call(call: ToolCall, index: int) -> dict[str, object]:
    arguments = msgspec.Raw(msgspec.json.format(call.arguments.encode(), indent=-1))
    function = {"index": index, "name": call.name, "arguments": arguments}
    return {"id": call.call_id, "function": function} if call.call_id else {"function": function}


def _told(logprobs: Sequence[TokenLogprob]) -> bytes:
    return b',"logprobs":' + encode(logprob_objects(logprobs, always_with_top=False)) if logprobs else b""


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
        **outcome.losses(),
    }
    return {name: value for name, value in facts.items() if value}


def _spent(duration_ns: int, tokens: int) -> int:
    """Clients divide by it, and tell from its absence that nothing was done: never zero for tokens there were."""
    return max(duration_ns, 1) if tokens else 0
