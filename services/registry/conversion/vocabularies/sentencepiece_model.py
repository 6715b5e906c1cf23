"""`tokenizer.model`, SentencePiece's own file: as much of the protocol buffer format as it takes to read it.

Source: sentencepiece `sentencepiece_model.proto`; protobuf.dev, "Encoding".
"""

import struct
from collections.abc import Iterator
from typing import Final

import msgspec
from gguf import TokenType

from services.registry.conversion.source import refuse
from services.registry.conversion.vocabularies.vocabulary import TOKENS_MAX

UNIGRAM: Final = 1
BPE: Final = 2

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX: Final = 10

Field = tuple[int, int | memoryview]


class Piece(msgspec.Struct, frozen=True):
    """A token; SentencePiece's numbers for types are llama.cpp's."""

    text: str
    score: float
    type: int


class SentencePieceModel(msgspec.Struct, frozen=True, kw_only=True):
    pieces: list[Piece]
    model_type: int
    adds_dummy_prefix: bool
    removes_extra_whitespaces: bool
    charsmap: bytes


def parse_sentencepiece_model(content: bytes) -> SentencePieceModel:
    """Raises: ModelFileInvalid."""
    pieces: list[Piece] = []
    trainer: dict[int, int | memoryview] = {}
    normalizer: dict[int, int | memoryview] = {}
    for number, value in _fields(memoryview(content)):
        if number == 1:
            pieces.append(_piece(dict(_fields(_message(value)))))
            if len(pieces) > TOKENS_MAX:
                refuse(f"tokenizer.model has more than {TOKENS_MAX} pieces")
        elif number == 2:
            trainer.update(_fields(_message(value)))
        elif number == 3:
            normalizer.update(_fields(_message(value)))
    if not pieces:
        refuse("tokenizer.model has no pieces; is it SentencePiece's?")
    return SentencePieceModel(
        pieces=pieces,
        model_type=_number(trainer.get(3, UNIGRAM)),
        adds_dummy_prefix=bool(_number(normalizer.get(3, 1))),
        removes_extra_whitespaces=bool(_number(normalizer.get(4, 1))),
        charsmap=bytes(_message(normalizer.get(2, memoryview(b"")))),
    )


def _piece(fields: dict[int, int | memoryview]) -> Piece:
    score = _message(fields.get(2, memoryview(bytes(4))))
    if len(score) != 4:
        refuse("tokenizer.model: a score is not a number")
    return Piece(
        text=bytes(_message(fields.get(1, memoryview(b"")))).decode("utf-8", "replace"),
        score=struct.unpack("<f", score)[0],
        type=_number(fields.get(3, int(TokenType.NORMAL))),
    )


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        refuse("tokenizer.model is malformed")
    return value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        refuse("tokenizer.model is malformed")
    return value


def _fields(content: memoryview) -> Iterator[Field]:
    """Numbers and values of a message's fields; numbers with a fixed length come as their bytes."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(content, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            refuse("tokenizer.model is malformed")
        if length > len(content) - at:
            refuse("tokenizer.model is cut off")
        yield number, content[at : at + length]
        at += length


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length and where it ends."""
    length = next((index for index, byte in enumerate(content[at : at + _VARINT_BYTES_MAX], 1) if byte < 0x80), None)
    if length is None:
        refuse("tokenizer.model is malformed")
    number = sum((byte & 0x7F) << (7 * index) for index, byte in enumerate(content[at : at + length]))
    return number, at + length
