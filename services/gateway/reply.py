"""What every dialect's reply can do; the handlers relay a generation through it without knowing the dialect."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from shared.errors import ErrorInfo
from shared.generation import DoneReason, Piece, Usage, joined


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a generation went. `load_ns` is the time until a worker had the model and began.

    `stop_string` is the one that ended it, if one did. `dropped_*` were left out of its prompt, `shifted_*` left its
    context on the way, in place of `summarized_*` stands a summary.
    """

    reason: DoneReason
    usage: Usage
    total_ns: int
    load_ns: int
    context: tuple[int, ...] = ()
    dropped_messages_count: int = 0
    stop_string: str = ""
    dropped_tokens_count: int = 0
    shifted_tokens_count: int = 0
    summarized_messages_count: int = 0

    def losses(self) -> dict[str, int]:
        """What of the conversation the model did not see as it was, by the names of its fields; empty when it saw all.

        Nothing is ever lost in silence, so every dialect shows them beside its own fields.
        """
        counts = {
            "dropped_messages_count": self.dropped_messages_count,
            "dropped_tokens_count": self.dropped_tokens_count,
            "summarized_messages_count": self.summarized_messages_count,
            "shifted_tokens_count": self.shifted_tokens_count,
        }
        return {name: count for name, count in counts.items() if count}


def losses_of(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """What the answers of one reply lost; of each kind, the most that one of them did."""
    return worst(outcome.losses() for outcome in outcomes)


def worst(losses: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The largest count of each kind."""
    found: dict[str, int] = {}
    for counts in losses:
        found.update({name: max(count, found.get(name, 0)) for name, count in counts.items()})
    return found


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one generation brought: its `pieces` in the order they came."""

    pieces: tuple[Piece, ...]
    outcome: Outcome

    @property
    def piece(self) -> Piece:
        """All of it, one kind after the other."""
        return joined(self.pieces)


class Reply(Protocol):
    """Bytes of one reply. The stream methods give framed bytes, `whole` the body of an unstreamed reply.

    Most replies hold one answer, OpenAI's may hold several: `index` says whose bytes are meant.
    """

    stream_content_type: str
    whole_content_type: str

    def delta(self, piece: Piece, index: int = 0) -> bytes:
        """More of an answer; `piece` is not empty."""
        ...

    def heartbeat(self) -> bytes:
        """Something that says nothing, so that nobody on the way takes a wait for a broken connection."""
        ...

    def end(self, outcome: Outcome, index: int = 0) -> bytes:
        """The end of one answer; with the last one's comes the end of the reply."""
        ...

    def stream_error(self, error: ErrorInfo) -> bytes: ...

    def whole(self, answers: Sequence[Answer]) -> bytes: ...
