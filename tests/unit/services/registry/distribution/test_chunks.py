"""The range a chunk comes with, in docker's way and in Ollama's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.distribution.chunks import (
    Chunk,
    ChunkOutOfOrder,
    begin_of,
    parse_content_range,
    range_header,
)

OFFSETS = st.integers(0, 1000)


@pytest.mark.parametrize(
    ("text", "chunk"),
    [
        ("0-99", Chunk(0, 100)),
        ("bytes 0-99", Chunk(0, 100)),
        ("bytes=5-5", Chunk(5, 6)),
        ("bytes 100-199/200", Chunk(100, 200)),
        ("bytes 100-199/*", Chunk(100, 200)),
    ],
)
def test_both_ways_of_writing_a_range_are_read(text: str, chunk: Chunk) -> None:
    assert parse_content_range(text) == chunk


@pytest.mark.parametrize(
    "text", ["", "0", "99-0", "a-b", "bytes */200", "items 0-9", "0-9,20-29", "-1-5", "0-" + "9" * 30]
)
def test_other_texts_are_no_range(text: str) -> None:
    assert parse_content_range(text) is None


@given(OFFSETS, OFFSETS, st.booleans())
def test_a_chunk_goes_on_where_the_last_one_ended(start: int, offset: int, settled: bool) -> None:
    assert begin_of(None, offset, settled=settled) == offset
    chunk = Chunk(start, start + 1)
    if start == offset or (start < offset and not settled):
        assert begin_of(chunk, offset, settled=settled) == start
    else:
        with pytest.raises(ChunkOutOfOrder) as caught:
            begin_of(chunk, offset, settled=settled)
        assert caught.value.offset == offset


def test_the_range_header_names_the_last_byte_received() -> None:
    assert [range_header(offset) for offset in (0, 1, 2, 100)] == ["0-0", "0-0", "0-1", "0-99"]
