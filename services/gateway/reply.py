"""What every dialect's reply can do; the handlers relay a generation through it without knowing the dialect."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from shared.errors import ErrorInfo
from shared.generation import DoneReason, Piece, Usage


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a generation went. `load_ns` is the time until a worker had the model and began.

    `stop_string` is the one that ended it, if one did.
    """

    reason: DoneReason
    usage: Usage
    total_ns: int
    load_ns: int
    context: tuple[int, ...] = ()
    dropped_messages_count: int = 0
    stop_string: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one generation brought."""

    piece: Piece
    outcome: Outcome


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
