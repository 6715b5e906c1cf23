"""What every dialect's reply can do; the handlers relay a generation through it without knowing the dialect."""

from typing import Protocol

import msgspec

from shared.errors import ErrorInfo
from shared.generation import DoneReason, Usage


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a generation went. `load_ns` is the time until a worker had the model and began."""

    reason: DoneReason
    usage: Usage
    total_ns: int
    load_ns: int
    context: tuple[int, ...] = ()
    dropped_messages_count: int = 0


class Reply(Protocol):
    """Bytes of one reply. The stream methods give framed bytes, `whole` the body of an unstreamed reply."""

    stream_content_type: str
    whole_content_type: str

    def delta(self, text: str) -> bytes: ...

    def end(self, outcome: Outcome) -> bytes: ...

    def stream_error(self, error: ErrorInfo) -> bytes: ...

    def whole(self, text: str, outcome: Outcome) -> bytes: ...
