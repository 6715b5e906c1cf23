"""OpenAI's chat completions as bytes, whole and streamed, and its model list. Pure."""

from collections.abc import Sequence

from services.gateway.dialects.logprobs import logprob_objects
from services.gateway.dialects.openai_choices import ChoicesReply, Completion, dropped, encode
from services.gateway.reply import Answer, Outcome
from shared.generation import DoneReason, Piece, TokenLogprob
from shared.model_index import ModelEntry


class OpenAiReply(ChoicesReply):
    """One chat completion."""

    def __init__(self, completion: Completion) -> None:
        super().__init__(completion, whole_object="chat.completion", chunk_object="chat.completion.chunk")
        indices = range(completion.choices_count)
        self._first_heads = [self._delta_head(index, b'"role":"assistant","content":') for index in indices]
        self._heads = [self._delta_head(index, b'"content":') for index in indices]
        self._begun: set[int] = set()

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        if index in self._begun:
            head = self._heads[index]
        else:
            self._begun.add(index)
            head = self._first_heads[index]
        told = b'},"logprobs":' + encode(_logprobs(piece.logprobs)) if piece.logprobs else b"}"
        return b"".join((head, encode(piece.text), told, b',"finish_reason":null}]}\n\n'))

    def _finish(self, outcome: Outcome, index: int) -> bytes:
        """The first chunk, if there was no text, and the one that tells why the choice ends."""
        first = b"" if index in self._begun else self.delta(Piece(), index)
        choice = {"index": index, "delta": {}, "finish_reason": finish_reason(outcome.reason)}
        return first + self._chunk({"choices": [choice], **dropped([outcome])})

    def _choice(self, answer: Answer, index: int) -> dict[str, object]:
        return {
            "index": index,
            "message": {"role": "assistant", "content": answer.piece.text},
            "finish_reason": finish_reason(answer.outcome.reason),
            **({"logprobs": _logprobs(answer.piece.logprobs)} if answer.piece.logprobs else {}),
        }

    def _delta_head(self, index: int, begin: bytes) -> bytes:
        return b'data: %b,"choices":[{"index":%d,"delta":{%b' % (self._chunk_head, index, begin)


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
