"""OpenAI's chat completions as bytes, whole and streamed, and its model list. Pure.

Thoughts are told in `reasoning`, as Ollama has it; OpenAI's API has no place for them.
"""

from collections.abc import Sequence

from services.gateway.dialects.logprobs import logprob_objects
from services.gateway.dialects.openai_choices import ChoicesReply, Completion
from services.gateway.reply import Answer, Outcome
from shared.generation import DoneReason, Piece, TokenLogprob, ToolCall
from shared.model_index import ModelEntry


class OpenAiReply(ChoicesReply):
    """One chat completion. With `calls_functions` it tells a call in the older way, as the one `function_call`."""

    def __init__(self, completion: Completion, *, calls_functions: bool = False) -> None:
        super().__init__(completion, whole_object="chat.completion", chunk_object="chat.completion.chunk")
        self._calls_functions = calls_functions
        self._begun: set[int] = set()
        self._calls_count = [0] * completion.choices_count

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        """Thoughts, text and calls in a chunk each; log-probabilities, which are of all of them, with the first."""
        deltas = self._deltas(piece, index)
        choices = [{"index": index, "delta": delta, "finish_reason": None} for delta in deltas]
        if piece.logprobs:
            choices[0]["logprobs"] = _logprobs(piece.logprobs)
        return b"".join(self._chunk({"choices": [choice]}) for choice in choices)

    def _finish(self, outcome: Outcome, index: int) -> bytes:
        """The first chunk, if there was no text, and the one that tells why the choice ends."""
        first = b"" if index in self._begun else self.delta(Piece(), index)
        reason = self._finish_reason(outcome, has_calls=self._calls_count[index] > 0)
        choice = {"index": index, "delta": {}, "finish_reason": reason}
        return first + self._chunk({"choices": [choice], **outcome.losses()})

    def _choice(self, answer: Answer, index: int) -> dict[str, object]:
        piece = answer.piece
        message = {
            "role": "assistant",
            "content": piece.text,
            **({"reasoning": piece.thinking} if piece.thinking else {}),
            **self._called(piece.tool_calls, index),
        }
        return {
            "index": index,
            "message": message,
            "finish_reason": self._finish_reason(answer.outcome, has_calls=bool(piece.tool_calls)),
            **({"logprobs": _logprobs(piece.logprobs)} if piece.logprobs else {}),
        }

    def _deltas(self, piece: Piece, index: int) -> list[dict[str, object]]:
        deltas: list[dict[str, object]] = []
        if piece.thinking:
            deltas.append({"reasoning": piece.thinking})
        if piece.text or not (piece.thinking or piece.tool_calls):
            deltas.append({"content": piece.text})
        if piece.tool_calls:
            deltas.append(self._called(piece.tool_calls, index))
        if index not in self._begun:
            self._begun.add(index)
            deltas[0] = {"role": "assistant", "content": "", **deltas[0]}
        return deltas

    def _called(self, calls: Sequence[ToolCall], index: int) -> dict[str, object]:
        """The next calls of a choice, each of them whole; nothing where there are none."""
        first = self._calls_count[index]
        self._calls_count[index] += len(calls)
        functions = [{"name": call.name, "arguments": call.arguments} for call in calls]
        if self._calls_functions:
            return {"function_call": functions[0]} if functions else {}
        told = [
            {"index": first + offset, "id": call.call_id, "type": "function", "function": function}
            for offset, (call, function) in enumerate(zip(calls, functions, strict=True))
        ]
        return {"tool_calls": told} if told else {}

    def _finish_reason(self, outcome: Outcome, *, has_calls: bool) -> str:
        if has_calls and outcome.reason is DoneReason.STOP:
            return "function_call" if self._calls_functions else "tool_calls"
        return finish_reason(outcome.reason)


def _logprobs(logprobs: Sequence[TokenLogprob]) -> dict[str, object]:
    return {"content": logprob_objects(logprobs, always_with_top=True)}


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


def finish_reason(reason: DoneReason) -> str:
    return "length" if reason is DoneReason.LENGTH else "stop"
