"""Laws of the reader of `tokenizer.model`: what was written is read, and no bytes do more than be refused."""

import contextlib
import struct

from hypothesis import given
from hypothesis import strategies as st

from services.registry.conversion.vocabularies.sentencepiece_model import Piece, parse_sentencepiece_model
from shared.errors import ModelFileInvalid

PIECES = st.lists(
    st.tuples(st.text(max_size=10), st.floats(width=32, allow_nan=False), st.integers(1, 6)), min_size=1, max_size=20
)


def varint(number: int) -> bytes:
    content = b""
    while number >= 0x80:
        content += bytes([number & 0x7F | 0x80])
        number >>= 7
    return content + bytes([number])


def text_field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def model(pieces: list[tuple[str, float, int]], model_type: int, unknown: bytes) -> bytes:
    content = b""
    for text, score, kind in pieces:
        score_field = varint(2 << 3 | 5) + struct.pack("<f", score)
        content += text_field(1, text_field(1, text.encode()) + score_field + number_field(3, kind))
    trainer = text_field(1, unknown) + number_field(3, model_type)
    return content + text_field(2, trainer) + text_field(3, number_field(3, 0) + text_field(2, b"map")) + unknown


@given(PIECES, st.integers(1, 4))
def test_what_was_written_is_read(pieces: list[tuple[str, float, int]], model_type: int) -> None:
    read = parse_sentencepiece_model(
        model(pieces, model_type, number_field(99, 2**60) + varint(98 << 3 | 1) + bytes(8))
    )
    assert read.pieces == [Piece(*piece) for piece in pieces]
    assert read.model_type == model_type
    assert (read.adds_dummy_prefix, read.removes_extra_whitespaces, read.charsmap) == (False, True, b"map")


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    with contextlib.suppress(ModelFileInvalid):
        parse_sentencepiece_model(content)


VALID = model([("a", -1.0, 1), ("b", 0.0, 3)], 2, b"")


@given(st.dictionaries(st.integers(0, len(VALID) - 1), st.integers(0, 255), max_size=4), st.integers(0, len(VALID)))
def test_no_damage_does_more_than_have_it_refused(changes: dict[int, int], length: int) -> None:
    content = bytearray(VALID)
    for place, value in changes.items():
        content[place] = value
    with contextlib.suppress(ModelFileInvalid):
        parse_sentencepiece_model(bytes(content[:length]))
