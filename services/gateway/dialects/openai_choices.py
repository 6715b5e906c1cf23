"""What OpenAI's chat and text completions have in common: the identity of a reply, its choices, and how it ends. Pure.

A choice is one answer. Those of one prompt stand together, so choice 5 of a request with two choices a prompt belongs
to its third prompt.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from services.gateway import wire
from services.gateway.reply import Answer, Outcome, losses_of
from services.gateway.wire import encode
from shared.errors import ContextLengthExceeded, ErrorInfo, Kind
from shared.generation import Piece

FINGERPRINT: Final = "fp_ollama"
_HEARTBEAT: Final = b": waiting\n\n"
_TYPE_OF_KIND: Final = {
    Kind.INVALID: "invalid_request_error",
    Kind.NOT_FOUND: "not_found_error",
}


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """Which reply this is: what all its chunks tell, and how many choices it has."""

    model: str
    completion_id: str
    created_unix_s: int
    include_usage: bool
    prompts_count: int = 1
    choices_per_prompt: int = 1

    @property
    def choices_count(self) -> int:
        return self.prompts_count * self.choices_per_prompt


class ChoicesReply(ABC):
    """One completion, streamed or whole. Subclasses write the choices."""

    stream_content_type = wire.EVENT_STREAM
    whole_content_type = "application/json"

    def __init__(self, completion: Completion, *, whole_object: str, chunk_object: str) -> None:
        self._completion = completion
        self._whole_object = whole_object
        self._chunk_head = encode(self._object(chunk_object))[:-1]  # open: the choices follow
        self._outcomes: dict[int, Outcome] = {}

    @abstractmethod
    def delta(self, piece: Piece, index: int = 0) -> bytes: ...

    @abstractmethod
    def _finish(self, outcome: Outcome, index: int) -> bytes:
        """What ends a choice in a stream."""

    @abstractmethod
    def _choice(self, answer: Answer, index: int) -> dict[str, object]:
        """A whole choice."""

    def heartbeat(self) -> bytes:
        return _HEARTBEAT

    def end(self, outcome: Outcome, index: int = 0) -> bytes:
        """The end of a choice; after the last one the usage, if it was asked for, and the end mark."""
        self._outcomes[index] = outcome
        frames = [self._finish(outcome, index)]
        if len(self._outcomes) == self._completion.choices_count:
            if self._completion.include_usage:
                frames.append(self._chunk({"choices": [], "usage": self._usage(self._outcomes.items())}))
            frames.append(wire.SSE_DONE)
        return b"".join(frames)

    def stream_error(self, error: ErrorInfo) -> bytes:
        return wire.sse_event(encode(error_envelope(error)))

    def whole(self, answers: Sequence[Answer]) -> bytes:
        outcomes = [answer.outcome for answer in answers]
        return encode(
            {
                **self._object(self._whole_object),
                "choices": [self._choice(answer, index) for index, answer in enumerate(answers)],
                "usage": self._usage(enumerate(outcomes)),
                **losses_of(outcomes),
            }
        )

    def _chunk(self, rest: dict[str, object]) -> bytes:
        return wire.sse_event(self._chunk_head + b"," + encode(rest)[1:])

    def _object(self, name: str) -> dict[str, object]:
        return {
            "id": self._completion.completion_id,
            "object": name,
            "created": self._completion.created_unix_s,
            "model": self._completion.model,
            "system_fingerprint": FINGERPRINT,
        }

    def _usage(self, outcomes: Iterable[tuple[int, Outcome]]) -> dict[str, object]:
        """Tokens of the whole reply; a prompt counts once, however many choices it has."""
        prompt_tokens = cached_tokens = generated_tokens = 0
        for index, outcome in outcomes:
            generated_tokens += outcome.usage.generated_tokens
            if index % self._completion.choices_per_prompt == 0:
                prompt_tokens += outcome.usage.prompt_tokens
                cached_tokens += outcome.usage.cached_tokens
        return {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": generated_tokens,
            "total_tokens": prompt_tokens + generated_tokens,
            "prompt_tokens_details": {"cached_tokens": cached_tokens},
        }


def error_envelope(error: ErrorInfo) -> dict[str, object]:
    """The error as OpenAI's clients read it, with the types Ollama gives.

    They know a conversation that is too long by its code and by OpenAI's words for it, and make it shorter.
    """
    kind = _TYPE_OF_KIND.get(error.kind, "api_error")
    message, code = error.message, None
    if error.code == ContextLengthExceeded.code:
        code = error.code
        message = (
            f"This model's maximum context length is {error.detail['context_tokens']} tokens. "
            f"However, the request has {error.detail['prompt_tokens']} tokens. Please reduce its length."
        )
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
