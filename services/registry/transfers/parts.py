"""How a blob is divided for its download, and the state of each part as Ollama keeps it on disk. Pure.

Parts are fetched in order by a few fetchers at once: so the beginning without gaps grows steadily, and the digest is
computed right behind it. A part's own bytes come in order, so `completed` says all about it.
Source: Ollama `server/download.go` (blobDownloadPart).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

PARTS_MAX: Final = 256
"""Every part has a file for its state, so a large blob gets larger parts instead of more."""

NUMBERS_MAX: Final = 10**6
"""Nobody numbers parts as high; the number becomes part of a file's name."""

STATE_BYTES: Final = 128
"""A state file's length: numbers that shrink leave no rest of the longer ones behind."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """`[offset, offset + size)` of the blob, of which the first `completed` bytes are on disk."""

    number: int = msgspec.field(name="N")
    offset: int = msgspec.field(name="Offset")
    size: int = msgspec.field(name="Size")
    completed: int = msgspec.field(name="Completed", default=0)

    @property
    def end(self) -> int:
        return self.offset + self.size

    @property
    def position(self) -> int:
        """The first byte that is still missing."""
        return self.offset + self.completed

    @property
    def is_complete(self) -> bool:
        return self.completed == self.size


def divide(start: int, end: int, part_bytes: int, *, first_number: int = 0) -> tuple[Part, ...]:
    """Parts of `part_bytes`, the last one shorter, that cover [start, end)."""
    offsets = range(start, end, part_bytes)
    return tuple(
        Part(number=number, offset=offset, size=min(part_bytes, end - offset))
        for number, offset in enumerate(offsets, start=first_number)
    )


def part_bytes_for(size_bytes: int, part_bytes: int) -> int:
    """The wanted size of a part, or a larger one when the blob would have too many."""
    return max(part_bytes, -(-size_bytes // PARTS_MAX))


def adopt(found: Iterable[Part], size_bytes: int, part_bytes: int) -> tuple[Part, ...]:
    """The parts of a download that goes on, in order, whoever began it and whatever size it gave them.

    Gaps (the state of a part was lost) become new parts. States that contradict each other or the blob's size are
    worth nothing: then everything begins anew.
    """
    parts = sorted(found, key=lambda part: part.offset)
    if not _agree(parts, size_bytes):
        parts = []
    wanted_bytes = part_bytes_for(size_bytes, part_bytes)
    number = max((part.number for part in parts), default=-1) + 1
    whole: list[Part] = []
    position = 0
    for start, end, part in [*((part.offset, part.end, part) for part in parts), (size_bytes, size_bytes, None)]:
        added = divide(position, start, wanted_bytes, first_number=number)
        whole += added
        number += len(added)
        position = end
        if part is not None:
            whole.append(part)
    return tuple(whole)


def _agree(parts: Sequence[Part], size_bytes: int) -> bool:
    """Whether parts sorted by offset lie beside each other within the blob, under different numbers."""
    position = 0
    for part in parts:
        is_sound = part.size > 0 and 0 <= part.completed <= part.size and 0 <= part.number < NUMBERS_MAX
        if not is_sound or part.offset < position:
            return False
        position = part.end
    return position <= size_bytes and len({part.number for part in parts}) == len(parts)


def completed_bytes(parts: Iterable[Part]) -> int:
    return sum(part.completed for part in parts)


def prefix_bytes(parts: Iterable[Part]) -> int:
    """How much of the blob's beginning is there without a gap; `parts` are in order."""
    position = 0
    for part in parts:
        position = part.position
        if not part.is_complete:
            break
    return position


def encode_state(part: Part) -> bytes:
    """The content of the part's state file: always of the same length, so that one write replaces it as a whole."""
    return (msgspec.json.encode(part)).ljust(STATE_BYTES - 1) + b"\n"


def decode_state(content: bytes) -> Part | None:
    """None when it cannot be read: its writer died over it."""
    try:
        return msgspec.json.decode(content, type=Part)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
