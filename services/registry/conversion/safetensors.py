"""Safetensors files, read as if an enemy wrote them: a JSON header that is checked, then weights that are mapped.

Nothing is copied here: a tensor is a view of the file, read when somebody looks at it.
Source: the safetensors format (github.com/huggingface/safetensors, README), its index of shards from transformers.
"""

import mmap
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from services.registry.conversion.source import Source, refuse
from shared.errors import ModelFileInvalid

HEADER_BYTES_MAX: Final = 100_000_000
"""The format's own limit."""

TENSORS_MAX: Final = 65_536
DIMENSIONS_MAX: Final = 4
FILES_MAX: Final = 1_024
ELEMENTS_MAX: Final = 2**40
_LABEL_CHARACTERS: Final = 100

ELEMENT_BYTES: Final = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8}
"""The types that can be converted; files may hold others as long as nobody wants those tensors."""

_ARRAY_TYPES: Final = {"BF16": "<u2", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
"""numpy has no BF16: such tensors are seen as the 16 bits that they are."""

_INDEX: Final = "model.safetensors.index.json"
_SHARD: Final = re.compile(r"(.+)-(\d{5,6})-of-(\d{5,6})\.safetensors")


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


class StoredTensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor in a buffer. `dtype` is the format's name for its type, one of `ELEMENT_BYTES`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    buffer: Any
    offset_bytes: int = 0

    def mapped(self) -> npt.NDArray[Any]:
        """The tensor as an array over the buffer, read only."""
        count = int(np.prod(self.shape, dtype=np.int64))
        array = np.frombuffer(self.buffer, _ARRAY_TYPES[self.dtype], count, self.offset_bytes)
        return array.reshape(self.shape)


class Checkpoint:
    """All tensors of a model, from one file or several.

    Raises (on reading): ModelFileInvalid.
    """

    def __init__(self, tensors: Mapping[str, tuple[_Entry, Any, int]]) -> None:
        self._tensors = tensors

    @property
    def names(self) -> Iterable[str]:
        return self._tensors.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        """Raises: KeyError."""
        return tuple(self._tensors[name][0].shape)

    def tensor(self, name: str, shape: tuple[int, ...]) -> StoredTensor:
        """The tensor, which must be there, of a type that can be converted, and of this shape.

        Raises: ModelFileInvalid.
        """
        found = self._tensors.get(name)
        if found is None:
            refuse(f"tensor {name} is missing")
        entry, buffer, data_offset_bytes = found
        if entry.dtype not in ELEMENT_BYTES:
            refuse(f"tensor {name} is stored as {label(entry.dtype)}; {', '.join(ELEMENT_BYTES)} can be converted")
        if tuple(entry.shape) != shape:
            refuse(f"tensor {name} has the shape {entry.shape}; config.json makes it {list(shape)}")
        return StoredTensor(
            name=name,
            dtype=entry.dtype,
            shape=shape,
            buffer=buffer,
            offset_bytes=data_offset_bytes + entry.data_offsets[0],
        )


def read_checkpoint(source: Source) -> Checkpoint:
    """All tensors of the folder's own safetensors files; those of subfolders belong to something else.

    Raises: ModelFileInvalid.
    """
    tensors: dict[str, tuple[_Entry, Any, int]] = {}
    for file_name in _file_names(source):
        entries, buffer, data_offset_bytes = _read_file(source.files[file_name], file_name)
        for name, entry in entries.items():
            if name in tensors:
                refuse(f"tensor {label(name)} is in more than one file")
            tensors[name] = (entry, buffer, data_offset_bytes)
    return Checkpoint(tensors)


def label(text: str) -> str:
    """A foreign text as reasons show it."""
    return repr(text[:_LABEL_CHARACTERS])


def _file_names(source: Source) -> list[str]:
    """The files that make up the model: what the index names, else all there are, which must be a whole set."""
    names = sorted(name for name in source.files if name.endswith(".safetensors") and "/" not in name)
    index = source.optional_json(_INDEX, _Index)
    if index is not None:
        names = sorted(set(index.weight_map.values()))
    if not names:
        refuse("there is no .safetensors file")
    if len(names) > FILES_MAX:
        refuse(f"{len(names)} files are more than the {FILES_MAX} allowed")
    for name in names:
        if shard := _SHARD.fullmatch(name):
            _check_set(shard, source)
        elif name not in source.files:
            refuse(f"{label(name)} is missing")
    return names


def _check_set(shard: re.Match[str], source: Source) -> None:
    prefix, number, count = shard.groups()
    if int(count) > FILES_MAX:
        refuse(f"{int(count)} files are more than the {FILES_MAX} allowed")
    for other in range(1, int(count) + 1):
        name = f"{prefix}-{other:0{len(number)}}-of-{count}.safetensors"
        if name not in source.files:
            refuse(f"{label(name)} is missing")


def _read_file(path: Path, file_name: str) -> tuple[dict[str, _Entry], mmap.mmap, int]:
    """A file's entries, its mapped content, and where in it the data begin."""
    with path.open("rb") as file:
        file_bytes = file.seek(0, 2)
        if file_bytes < 8:
            refuse(f"{file_name} is too short for a safetensors file")
        buffer = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    header_bytes = int.from_bytes(buffer[:8], "little")
    if header_bytes > min(HEADER_BYTES_MAX, file_bytes - 8):
        refuse(f"{file_name} has a header of {header_bytes} bytes, more than there are or are allowed")
    entries = _entries(buffer[8 : 8 + header_bytes], file_name)
    _check_places(entries, file_bytes - 8 - header_bytes, file_name)
    return entries, buffer, 8 + header_bytes


def _entries(header: bytes, file_name: str) -> dict[str, _Entry]:
    try:
        raw = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        raw.pop("__metadata__", None)
        if len(raw) > TENSORS_MAX:
            refuse(f"{file_name} has {len(raw)} tensors, more than the {TENSORS_MAX} allowed")
        return {name: msgspec.json.decode(entry, type=_Entry) for name, entry in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise ModelFileInvalid(f"{file_name}: its header is malformed: {cause}") from cause


def _check_places(entries: Mapping[str, _Entry], data_bytes: int, file_name: str) -> None:
    """Every tensor lies within the data, has the size of its shape, and shares no byte with another."""
    last_end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        begin, end = entry.data_offsets
        if not 0 <= begin <= end <= data_bytes:
            refuse(f"{file_name}: the data of tensor {label(name)} lie outside the file")
        if begin < last_end:
            refuse(f"{file_name}: the data of tensor {label(name)} overlap with another's")
        last_end = end
        if len(entry.shape) > DIMENSIONS_MAX or any(extent < 0 for extent in entry.shape):
            refuse(f"{file_name}: tensor {label(name)} has an impossible shape")
        element_bytes = ELEMENT_BYTES.get(entry.dtype)
        if element_bytes is not None and _elements(entry.shape) * element_bytes != end - begin:
            refuse(f"{file_name}: the data of tensor {label(name)} do not have the size of its shape")


def _elements(shape: Iterable[int]) -> int:
    """How many elements a shape has, or a number that no file can have."""
    count = 1
    for extent in shape:
        count = min(count * extent, ELEMENTS_MAX)
    return count
