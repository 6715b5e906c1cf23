"""OpenAI's `/v1/audio/transcriptions`: the fields of a form to a typed call, and the replies to it. Pure.

A model that hears is asked to write down what is said, as Ollama does it. Nothing is known of the times of words, so
the formats that tell them (`srt`, `vtt`, `verbose_json`, `timestamp_granularities`) are refused.
Source: OpenAI's API reference; Ollama `middleware/openai.go` (TranscriptionMiddleware) for texts and checks.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.gateway import wire
from services.gateway.conversation import Conversation
from services.gateway.dialects.openai_choices import error_envelope
from services.gateway.reply import Answer, Outcome
from services.gateway.wire import encode
from shared.errors import ErrorInfo, ParameterInvalid
from shared.generation import Message, Piece

_INSTRUCTION: Final = "Write down word for word what is said in the recording. Answer with these words alone."
_FORMATS: Final = ("json", "text")
_UNSERVED: Final = ("chunking_strategy", "include[]", "timestamp_granularities[]", "known_speaker_names[]")
_DELTA_HEAD: Final = b'data: {"type":"transcript.text.delta","delta":'
_HEARTBEAT: Final = b": waiting\n\n"


class TranscriptionCall(msgspec.Struct, frozen=True, kw_only=True):
    """`as_text` asks for the bare words instead of JSON."""

    model: str
    conversation: Conversation
    options: dict[str, object]
    as_text: bool
    stream: bool


def parse_transcription(fields: Mapping[str, str], audio: bytes | None) -> TranscriptionCall:
    """`fields` are the form's texts, `audio` the bytes of its file, None without one.

    Raises: ParameterInvalid.
    """
    if not fields.get("model"):
        raise ParameterInvalid("model is required")
    if audio is None:
        raise ParameterInvalid("file is required: http: no such file")
    if not audio:
        raise ParameterInvalid("audio file is empty")
    wanted = fields.get("response_format") or "json"
    if wanted not in _FORMATS:
        raise ParameterInvalid(f'response_format "{wanted}" is not supported: json and text are, times are not known')
    if unserved := [name for name in _UNSERVED if fields.get(name)]:
        raise ParameterInvalid(f"this server does not support {', '.join(unserved)}")
    return TranscriptionCall(
        model=fields["model"],
        conversation=Conversation(
            messages=(Message("system", _instruction(fields)), Message("user", "", images=(audio,))), think=None
        ),
        options={"temperature": _temperature(fields.get("temperature") or "0")},
        as_text=wanted == "text",
        stream=fields.get("stream", "").lower() == "true",
    )


def _instruction(fields: Mapping[str, str]) -> str:
    """What the model is told, with the caller's hints about language and wording."""
    language, prompt = fields.get("language"), fields.get("prompt")
    hints = [f"The language is {language}."] if language else []
    return " ".join([_INSTRUCTION, *hints, *([prompt] if prompt else [])])


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError as cause:
        raise ParameterInvalid("temperature must be a number from 0 to 1") from cause
    if not 0 <= value <= 1:
        raise ParameterInvalid("temperature must be a number from 0 to 1")
    return value


class TranscriptionReply:
    """One transcription."""

    stream_content_type = wire.EVENT_STREAM

    def __init__(self, *, as_text: bool) -> None:
        self._as_text = as_text
        self._said: list[str] = []
        self.whole_content_type = "text/plain; charset=utf-8" if as_text else "application/json"

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        if not piece.text:
            return b""
        self._said.append(piece.text)
        return b"".join((_DELTA_HEAD, encode(piece.text), b"}\n\n"))

    def heartbeat(self) -> bytes:
        return _HEARTBEAT

    def end(self, outcome: Outcome, index: int = 0) -> bytes:
        assert index == 0, "this dialect has one answer a reply"
        done = {"type": "transcript.text.done", "text": "".join(self._said), "usage": _usage(outcome)}
        return wire.sse_event(encode(done)) + wire.SSE_DONE

    def stream_error(self, error: ErrorInfo) -> bytes:
        return wire.sse_event(encode(error_envelope(error)))

    def whole(self, answers: Sequence[Answer]) -> bytes:
        (answer,) = answers
        text = answer.piece.text.strip()
        return text.encode() if self._as_text else encode({"text": text, "usage": _usage(answer.outcome)})


def _usage(outcome: Outcome) -> dict[str, object]:
    usage = outcome.usage
    return {
        "type": "tokens",
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.generated_tokens,
        "total_tokens": usage.prompt_tokens + usage.generated_tokens,
    }
