"""OpenAI's text completions as bytes, whole and streamed. Pure."""

from collections.abc import Sequence
from typing import Final

from services.gateway.dialects.openai_choices import ChoicesReply, Completion, dropped, encode
from services.gateway.dialects.openai_reply import finish_reason
from services.gateway.reply import Answer, Outcome
from shared.generation import DoneReason, Piece

_CHUNK_END: Final = b',"logprobs":null,"finish_reason":null}]}\n\n'


class CompletionReply(ChoicesReply):
    """One text completion; a choice that echoes begins with its prompt."""

    def __init__(self, completion: Completion, *, echoes: Sequence[str]) -> None:
        super().__init__(completion, whole_object="text_completion", chunk_object="text_completion")
        self._echo_of = [echo for echo in echoes for _ in range(completion.choices_per_prompt)]
        self._echoed: set[int] = set()

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        shown = self._echo(index) + piece.text
        return b"".join(
            (b"data: ", self._chunk_head, b',"choices":[{"text":', encode(shown), b',"index":%d' % index, _CHUNK_END)
        )

    def _finish(self, outcome: Outcome, index: int) -> bytes:
        choice = {"text": self._echo(index), "index": index, "finish_reason": _reason(outcome), "logprobs": None}
        return self._chunk({"choices": [choice], **dropped([outcome])})

    def _choice(self, answer: Answer, index: int) -> dict[str, object]:
        return {
            "text": self._echo(index) + answer.piece.text,
            "index": index,
            "logprobs": None,
            "finish_reason": _reason(answer.outcome),
        }

    def _echo(self, index: int) -> str:
        """The prompt, the first time."""
        if not self._echo_of or index in self._echoed:
            return ""
        self._echoed.add(index)
        return self._echo_of[index]


def _reason(outcome: Outcome) -> str:
    return "load" if outcome.reason is DoneReason.LOAD else finish_reason(outcome.reason)
