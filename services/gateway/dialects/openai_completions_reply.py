"""OpenAI's text completions as bytes, whole and streamed. Pure.

A model that cannot help thinking does so in a `reasoning` beside the text; OpenAI's has none.
"""

from collections.abc import Sequence

from services.gateway.dialects.logprobs import TextLogprobs
from services.gateway.dialects.openai_choices import ChoicesReply, Completion
from services.gateway.dialects.openai_reply import finish_reason
from services.gateway.reply import Answer, Outcome
from shared.generation import DoneReason, Piece


class CompletionReply(ChoicesReply):
    """One text completion; a choice that echoes begins with its prompt."""

    def __init__(self, completion: Completion, *, echoes: Sequence[str]) -> None:
        super().__init__(completion, whole_object="text_completion", chunk_object="text_completion")
        self._echo_of = [echo for echo in echoes for _ in range(completion.choices_per_prompt)]
        self._echoed: set[int] = set()
        self._logprobs = [TextLogprobs() for _ in range(completion.choices_count)]

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        return self._chunk({"choices": [self._part(piece, index, finish=None)]})

    def _finish(self, outcome: Outcome, index: int) -> bytes:
        return self._chunk({"choices": [self._part(Piece(), index, finish=_reason(outcome))], **outcome.losses()})

    def _choice(self, answer: Answer, index: int) -> dict[str, object]:
        return self._part(answer.piece, index, finish=_reason(answer.outcome))

    def _part(self, piece: Piece, index: int, *, finish: str | None) -> dict[str, object]:
        return {
            "text": self._echo(index) + piece.text,
            "index": index,
            **({"reasoning": piece.thinking} if piece.thinking else {}),
            "logprobs": self._logprobs[index].lists(piece.logprobs) if piece.logprobs else None,
            "finish_reason": finish,
        }

    def _echo(self, index: int) -> str:
        """The prompt, the first time."""
        if not self._echo_of or index in self._echoed:
            return ""
        self._echoed.add(index)
        return self._echo_of[index]


def _reason(outcome: Outcome) -> str:
    return "load" if outcome.reason is DoneReason.LOAD else finish_reason(outcome.reason)
