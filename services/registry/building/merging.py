"""A model in several GGUF files becomes one file: what to write is decided here as pieces, copied by whoever writes.

Splits are llama.cpp's: the first file has the metadata (and perhaps no tensors), every file has tensors, and `split.*`
keys count both.
Source: llama.cpp `tools/gguf-split/gguf-split.cpp`; ggml `docs/gguf.md`.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from services.registry.gguf import MAGIC, Header, Tensor, aligned, alignment_of
from services.registry.gguf_types import TENSOR_TYPE_NUMBERS
from shared.errors import ModelFileInvalid

VERSION: Final = 3
_SPLIT_KEYS: Final = "split."
_TENSORS_COUNT: Final = "split.tensors.count"


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One of a model's files."""

    path: Path
    size_bytes: int
    header: Header


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes to copy from a file."""

    path: Path
    start_bytes: int
    size_bytes: int


Piece = bytes | Span


def merged_header(headers: Sequence[Header]) -> Header:
    """The header of all files as one model; what it says of places counts for none of them.

    Raises: ModelFileInvalid when the files do not belong together.
    """
    first = headers[0]
    tensors = tuple(tensor for header in headers for tensor in header.tensors)
    if len({tensor.name for tensor in tensors}) != len(tensors):
        _refuse("a tensor is in more than one of them")
    promised = first.metadata.get(_TENSORS_COUNT, len(tensors))
    if promised != len(tensors):
        _refuse(f"they have {len(tensors)} tensors, and the first says there are {promised}")
    return msgspec.structs.replace(
        first,
        metadata={key: value for key, value in first.metadata.items() if _is_kept(key)},
        spans={key: span for key, span in first.spans.items() if _is_kept(key)},
        tensors=tensors,
    )


def merged_pieces(shards: Sequence[Shard]) -> Iterator[Piece]:
    """The merged file, front to back. Its size is about the sum of the files'.

    Raises: ModelFileInvalid when the files do not belong together, or claim more data than they have.
    """
    header = merged_header([shard.header for shard in shards])
    alignment = alignment_of(header.metadata)
    for shard in shards:
        _check_size(shard)
    head = MAGIC + struct.pack("<IQQ", VERSION, len(header.tensors), len(header.metadata))
    yield head
    at_bytes = len(head)
    for start_bytes, end_bytes in header.spans.values():
        yield Span(path=shards[0].path, start_bytes=start_bytes, size_bytes=end_bytes - start_bytes)
        at_bytes += end_bytes - start_bytes
    infos = b"".join(_infos(header.tensors, alignment))
    at_bytes += len(infos)
    yield infos + bytes(aligned(at_bytes, alignment) - at_bytes)
    for shard in shards:
        for tensor in shard.header.tensors:
            start_bytes = shard.header.data_offset_bytes + tensor.offset_bytes
            yield Span(path=shard.path, start_bytes=start_bytes, size_bytes=tensor.size_bytes)
            yield bytes(aligned(tensor.size_bytes, alignment) - tensor.size_bytes)


def _infos(tensors: Sequence[Tensor], alignment: int) -> Iterator[bytes]:
    offset_bytes = 0
    for tensor in tensors:
        name = tensor.name.encode()
        yield struct.pack("<Q", len(name)) + name
        yield struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        yield struct.pack("<IQ", TENSOR_TYPE_NUMBERS[tensor.type], offset_bytes)
        offset_bytes += aligned(tensor.size_bytes, alignment)


def _check_size(shard: Shard) -> None:
    """Tensors that share data would make the merged file larger than what was sent."""
    claimed_bytes = sum(tensor.size_bytes for tensor in shard.header.tensors)
    if claimed_bytes > shard.size_bytes - shard.header.data_offset_bytes:
        _refuse("their tensors overlap")


def _is_kept(key: str) -> bool:
    return not key.startswith(_SPLIT_KEYS)


def _refuse(reason: str) -> NoReturn:
    raise ModelFileInvalid(f"the parts of the model do not belong together: {reason}")
