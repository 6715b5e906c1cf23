"""GGUF headers, read as if an enemy wrote them: metadata and tensor infos, versions 2 and 3, little endian.

Every count is checked against a limit and against the bytes that are left before anything is made of it, so neither
memory nor time follow a number in the file. What the metadata mean is `model_facts`' business.
Source: ggml `docs/gguf.md`, `ggml.h`.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NoReturn

import msgspec

from services.registry.gguf_types import ARRAY, BOOL, SCALARS, STRING, TENSOR_TYPES, TensorType
from shared.errors import ModelFileInvalid

MAGIC: Final = b"GGUF"
PAIRS_MAX: Final = 65_536
TENSORS_MAX: Final = 65_536
ARRAY_ITEMS_MAX: Final = 4_000_000
"""Items of all arrays together; the largest vocabularies have about 600,000 tokens and merges."""
KEY_BYTES_MAX: Final = 65_535
TEXT_BYTES_MAX: Final = 64 << 20
"""Text that is kept, of all keys and values together."""
TENSOR_NAME_BYTES_MAX: Final = 256
HEADER_BYTES_MAX: Final = 512 << 20
DIMENSIONS_MAX: Final = 4
ARRAY_NESTING_MAX: Final = 4
ITEMS_KEPT_MAX: Final = 4096
"""Numeric arrays up to this length (head counts per layer and the like) are kept; longer ones are read on demand."""
ITEMS_KEPT_ALL_MAX: Final = 262_144
NESTED_ARRAY_ITEMS: Final = 16
"""An array within an array takes as much of the allowance as this many plain items, because it takes their time."""
_LABEL_CHARACTERS: Final = 64
ALIGNMENT_DEFAULT: Final = 32
ALIGNMENT_MAX: Final = 1 << 20
_ELEMENTS_MAX: Final = 2**63 - 1

Value = int | float | bool | str
Items = list["Value | Items"]


class Array(msgspec.Struct, frozen=True, kw_only=True):
    """An array's place in the file; `items` are there when they are few and numeric."""

    item_type: int
    count: int
    offset_bytes: int
    items: tuple[Value, ...] | None


class Tensor(msgspec.Struct, frozen=True, array_like=True):
    name: str
    type: TensorType
    shape: tuple[int, ...]
    offset_bytes: int

    @property
    def elements_count(self) -> int:
        elements = 1
        for extent in self.shape:
            elements *= extent
        return elements

    @property
    def size_bytes(self) -> int:
        return self.elements_count // self.type.block_elements * self.type.block_bytes


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`spans` tells where each key and its value lie in the file; tensors' offsets count from `data_offset_bytes`."""

    version: int
    metadata: dict[str, Value | Array]
    spans: dict[str, tuple[int, int]]
    tensors: tuple[Tensor, ...]
    data_offset_bytes: int


class _Reader:
    """Reads forward within `end_bytes`; nothing is asked of the file that it cannot have."""

    def __init__(self, file: BinaryIO, end_bytes: int) -> None:
        self._file = file
        self._end_bytes = end_bytes
        self.at_bytes = 0
        self.items_left = ARRAY_ITEMS_MAX
        self.kept_items_left = ITEMS_KEPT_ALL_MAX
        self.text_left_bytes = TEXT_BYTES_MAX

    @property
    def left_bytes(self) -> int:
        return self._end_bytes - self.at_bytes

    def take(self, size_bytes: int, what: str) -> bytes:
        self._advance(size_bytes, what)
        content = self._file.read(size_bytes)
        if len(content) != size_bytes:
            refuse(f"the file ends within {what}")
        return content

    def skip(self, size_bytes: int, what: str) -> None:
        self._advance(size_bytes, what)
        self._file.seek(size_bytes, 1)

    def jump(self, offset_bytes: int) -> None:
        self.at_bytes = offset_bytes
        self._file.seek(offset_bytes)

    def _advance(self, size_bytes: int, what: str) -> None:
        if size_bytes > self.left_bytes:
            refuse(f"the file ends within {what}")
        self.at_bytes += size_bytes
        if self.at_bytes > HEADER_BYTES_MAX:
            refuse(f"the header is larger than {HEADER_BYTES_MAX} bytes")

    def uint32(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "little")

    def uint64(self, what: str) -> int:
        return int.from_bytes(self.take(8, what), "little")

    def count(self, what: str, *, most: int, least_bytes: int) -> int:
        """How many of something follow, each at least `least_bytes` long."""
        count = self.uint64(f"the number of {what}")
        if count > most:
            refuse(f"{count} {what} are more than the {most} allowed")
        if count * least_bytes > self.left_bytes:
            refuse(f"the file is too short for {count} {what}")
        return count

    def text(self, what: str, *, most_bytes: int = TEXT_BYTES_MAX) -> str:
        size_bytes = self.uint64(f"the length of {what}")
        allowed_bytes = min(most_bytes, self.text_left_bytes)
        if size_bytes > allowed_bytes:
            refuse(f"{what} has {size_bytes} bytes, more than the {allowed_bytes} allowed")
        self.text_left_bytes -= size_bytes
        return self.take(size_bytes, what).decode("utf-8", "replace")


def refuse(reason: str) -> NoReturn:
    raise ModelFileInvalid(f"invalid GGUF file: {reason}")


def read_header(file: BinaryIO, file_bytes: int) -> Header:
    """Read and check the header of a file that has `file_bytes` bytes and is open at its start.

    Raises: ModelFileInvalid with the reason.
    """
    reader = _Reader(file, file_bytes)
    version = _version(reader)
    tensors_count = reader.count("tensors", most=TENSORS_MAX, least_bytes=24)
    pairs_count = reader.count("metadata pairs", most=PAIRS_MAX, least_bytes=13)
    metadata: dict[str, Value | Array] = {}
    spans: dict[str, tuple[int, int]] = {}
    for _ in range(pairs_count):
        start_bytes = reader.at_bytes
        key = reader.text("a metadata key", most_bytes=KEY_BYTES_MAX)
        if key in metadata:
            refuse(f"metadata key {_label(key)} is there twice")
        metadata[key] = _value(reader, _label(key))
        spans[key] = (start_bytes, reader.at_bytes)
    tensors = tuple(_tensor(reader) for _ in range(tensors_count))
    data_offset_bytes = aligned(reader.at_bytes, alignment_of(metadata))
    _check_data(tensors, data_offset_bytes, file_bytes)
    return Header(version=version, metadata=metadata, spans=spans, tensors=tensors, data_offset_bytes=data_offset_bytes)


def read_array(file: BinaryIO, file_bytes: int, array: Array) -> Items:
    """All items of an array that `read_header` found in the same file.

    Raises: ModelFileInvalid.
    """
    reader = _Reader(file, file_bytes)
    reader.jump(array.offset_bytes)
    return list(_items(reader, array.item_type, array.count))


def _version(reader: _Reader) -> int:
    if reader.take(4, "the magic number") != MAGIC:
        refuse("it does not begin with the magic number")
    version = reader.uint32("the version")
    if version in (2 << 24, 3 << 24):
        refuse("big-endian files are not supported")
    if version not in (2, 3):
        refuse(f"version {version} is not supported")
    return version


def _label(key: str) -> str:
    """A key as reasons show it; a hostile key may be long and is formatted often."""
    return repr(key[:_LABEL_CHARACTERS])


def _value(reader: _Reader, label: str) -> Value | Array:
    value_type = reader.uint32(f"the type of {label}")
    if value_type == STRING:
        return reader.text(f"the value of {label}")
    if value_type == ARRAY:
        return _array(reader, label)
    return _scalar(reader, value_type, label)


def _scalar(reader: _Reader, value_type: int, label: str) -> Value:
    layout = SCALARS.get(value_type)
    if layout is None:
        refuse(f"{label} has the unknown type {value_type}")
    value: int | float = layout.unpack(reader.take(layout.size, f"the value of {label}"))[0]
    return bool(value) if value_type == BOOL else value


def _array(reader: _Reader, label: str) -> Array:
    item_type, count = _array_head(reader, label)
    offset_bytes = reader.at_bytes
    if item_type in SCALARS and count <= min(ITEMS_KEPT_MAX, reader.kept_items_left):
        reader.kept_items_left -= count
        items = tuple(_scalar(reader, item_type, label) for _ in range(count))
        return Array(item_type=item_type, count=count, offset_bytes=offset_bytes, items=items)
    _skip_items(reader, item_type, count, label, depth=1)
    return Array(item_type=item_type, count=count, offset_bytes=offset_bytes, items=None)


def _array_head(reader: _Reader, label: str) -> tuple[int, int]:
    """Type and number of the items that follow, charged to the file's allowance."""
    item_type = reader.uint32(f"the item type of {label}")
    charge = 1
    if item_type in SCALARS:
        least_bytes = SCALARS[item_type].size
    elif item_type == STRING:
        least_bytes = 8
    elif item_type == ARRAY:
        least_bytes, charge = 12, NESTED_ARRAY_ITEMS
    else:
        refuse(f"{label} has items of the unknown type {item_type}")
    count = reader.count(f"items of {label}", most=reader.items_left // charge, least_bytes=least_bytes)
    reader.items_left -= count * charge
    return item_type, count


def _skip_items(reader: _Reader, item_type: int, count: int, label: str, *, depth: int) -> None:
    what = f"the items of {label}"
    if item_type in SCALARS:
        reader.skip(SCALARS[item_type].size * count, what)
    elif item_type == STRING:
        for _ in range(count):
            reader.skip(reader.uint64(what), what)
    elif depth == ARRAY_NESTING_MAX:
        refuse(f"the arrays of {label} are nested more than {ARRAY_NESTING_MAX} deep")
    else:
        for _ in range(count):
            _skip_items(reader, *_array_head(reader, label), label, depth=depth + 1)


def _items(reader: _Reader, item_type: int, count: int) -> Iterator["Value | Items"]:
    """The items themselves; nesting was checked when the header was read."""
    for _ in range(count):
        if item_type == STRING:
            yield reader.text("an array item")
        elif item_type == ARRAY:
            yield list(_items(reader, *_array_head(reader, "an array")))
        else:
            yield _scalar(reader, item_type, "an array item")


def _tensor(reader: _Reader) -> Tensor:
    name = reader.text("a tensor name", most_bytes=TENSOR_NAME_BYTES_MAX)
    what = f"tensor {name!r}"
    dimensions_count = reader.uint32(f"the shape of {what}")
    if not 1 <= dimensions_count <= DIMENSIONS_MAX:
        refuse(f"{what} has {dimensions_count} dimensions")
    shape = struct.unpack(f"<{dimensions_count}Q", reader.take(8 * dimensions_count, f"the shape of {what}"))
    type_number = reader.uint32(f"the type of {what}")
    tensor_type = TENSOR_TYPES.get(type_number)
    if tensor_type is None:
        refuse(f"{what} has the unknown type {type_number}")
    tensor = Tensor(name, tensor_type, shape, reader.uint64(f"the place of {what}"))
    if not 1 <= tensor.elements_count <= _ELEMENTS_MAX:
        refuse(f"{what} has the impossible shape {list(shape)}")
    if shape[0] % tensor_type.block_elements:
        refuse(f"the rows of {what} are no whole blocks of {tensor_type.name}")
    return tensor


def alignment_of(metadata: dict[str, Value | Array]) -> int:
    """What the places of tensors' data are multiples of.

    Raises: ModelFileInvalid.
    """
    alignment = metadata.get("general.alignment", ALIGNMENT_DEFAULT)
    if not isinstance(alignment, int) or not 1 <= alignment <= ALIGNMENT_MAX or alignment & (alignment - 1):
        refuse("general.alignment is no sensible power of two")
    return alignment


def aligned(offset_bytes: int, alignment: int) -> int:
    return -(-offset_bytes // alignment) * alignment


def _check_data(tensors: tuple[Tensor, ...], data_offset_bytes: int, file_bytes: int) -> None:
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            refuse(f"tensor {tensor.name!r} is there twice")
        names.add(tensor.name)
        if data_offset_bytes + tensor.offset_bytes + tensor.size_bytes > file_bytes:
            refuse(f"the data of tensor {tensor.name!r} lie beyond the end of the file")
