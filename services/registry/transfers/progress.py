"""What a transfer tells of itself: the events of Ollama's pull and push, one JSON object each."""

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event. `digest`, `total` and `completed` (bytes) are those of the blob under way, left out when empty."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0
