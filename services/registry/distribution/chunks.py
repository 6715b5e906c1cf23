"""Where a chunk of an upload belongs: the `Content-Range` it comes with, against what has been received. Pure.

Source: OCI distribution specification, "Pushing a blob in chunks"; Ollama writes the range without a unit.
"""

import re
from typing import Final

import msgspec

_RANGE: Final = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/(?:\d+|\*))?")


class Chunk(msgspec.Struct, frozen=True):
    """The half-open stretch `start`…`end` of the blob."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        return self.end - self.start


class ChunkOutOfOrder(Exception):
    """The chunk does not go on where the last one ended, at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the chunk does not begin at {offset}")
        self.offset = offset


def parse_content_range(text: str) -> Chunk | None:
    """`0-99` or `bytes 0-99/*` as the chunk 0…100; None when the text is neither, or ends before it begins."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or int(match[2]) < int(match[1]):
        return None
    return Chunk(int(match[1]), int(match[2]) + 1)


def begin_of(chunk: Chunk | None, offset: int, *, settled: bool) -> int:
    """Where to write. Without a range it goes on where the last one ended.

    A chunk that breaks off is undone, so that it can be sent again from its start. What a restart interrupted could
    not be undone: then it is not `settled` where the last whole chunk ended, and a chunk may begin within what is here.

    Raises: ChunkOutOfOrder.
    """
    if chunk is None or chunk.start == offset:
        return offset
    if chunk.start < offset and not settled:
        return chunk.start
    raise ChunkOutOfOrder(offset)


def range_header(offset: int) -> str:
    """What has been received so far. `0-0` is also the beginning, where there is no byte that could end the range."""
    return f"0-{max(0, offset - 1)}"
