"""Writing a GGUF: metadata, then tensor after tensor in small parts, so that no tensor is ever whole in memory."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import msgspec
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFWriter, Keys

from services.registry.conversion.file_types import BF16, F16, F32, TARGETS
from services.registry.conversion.safetensors import StoredTensor
from services.registry.conversion.source import refuse

Metadata = dict[str, "int | float | bool | str | bytes | Sequence[str] | Sequence[int] | Sequence[float]"]
"""GGUF keys and values. Whole numbers and floats are stored in 32 bits; whole numbers have a sign only in arrays."""

PART_BYTES: Final = 16 << 20
"""Tensors are converted and written in parts of about this size."""

QUANTIZATION_VERSION: Final = 2
"""ggml's version of its quantized formats. Source: ggml.h, GGML_QNT_VERSION."""

_ELEMENT_BYTES: Final = {F32: 4, F16: 2, BF16: 2}
_TYPES: Final = {F32: GGMLQuantizationType.F32, F16: GGMLQuantizationType.F16, BF16: GGMLQuantizationType.BF16}


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor to write. `rows` says which rows of the source to take, in which order; None takes all as they are."""

    name: str
    source: StoredTensor
    type: str
    rows: npt.NDArray[np.intp] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape if self.rows is None else (len(self.rows), *self.source.shape[1:])

    @property
    def size_bytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * _ELEMENT_BYTES[self.type]


def type_for(source: StoredTensor) -> str:
    """What a model's tensor is stored as: vectors exactly, matrices in 16 bits, the kind of 16 bits they came in.

    Source: Ollama `convert/reader.go` (tensorBase.Kind) and `convert/reader_safetensors.go`.
    """
    if len(source.shape) < 2:
        return F32
    return BF16 if source.dtype == BF16 else F16


def write_gguf(
    output: Path, architecture: str, metadata: Metadata, tensors: Sequence[Tensor], tell: Callable[[float], None]
) -> None:
    """Write the file, telling the share of its tensor bytes that is written.

    Raises: ModelFileInvalid when a number does not fit its new type, OSError.
    """
    writer = GGUFWriter(output, architecture)
    _add_metadata(writer, {**metadata, **_about(tensors)})
    for tensor in tensors:
        writer.add_tensor_info(
            tensor.name, tensor.shape, np.dtype(np.float32), tensor.size_bytes, raw_dtype=_TYPES[tensor.type]
        )
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        progress = _Progress(sum(tensor.size_bytes for tensor in tensors), tell)
        for tensor in tensors:
            # The writer asks an array for nothing but its size and to write itself.
            writer.write_tensor_data(cast("npt.NDArray[Any]", _Streamed(tensor, progress)))
    finally:
        writer.close()


def _about(tensors: Sequence[Tensor]) -> Metadata:
    types = {tensor.type for tensor in tensors}
    main_type = next(type_ for type_ in (BF16, F16, F32) if type_ in types)
    return {Keys.General.FILE_TYPE: TARGETS[main_type], Keys.General.QUANTIZATION_VERSION: QUANTIZATION_VERSION}


def _add_metadata(writer: GGUFWriter, metadata: Metadata) -> None:
    for key, value in metadata.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)


class _Progress:
    def __init__(self, total_bytes: int, tell: Callable[[float], None]) -> None:
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._tell = tell

    def advance(self, size_bytes: int) -> None:
        self._done_bytes += size_bytes
        self._tell(self._done_bytes / self._total_bytes)


class _Streamed:
    """Stands where the writer expects a tensor's array, and makes its bytes part by part."""

    def __init__(self, tensor: Tensor, progress: _Progress) -> None:
        self._tensor = tensor
        self._progress = progress
        self.nbytes = tensor.size_bytes

    def tofile(self, file: BinaryIO) -> None:
        for part in _parts(self._tensor):
            file.write(part.data)
            self._progress.advance(part.nbytes)


def _parts(tensor: Tensor) -> Iterator[npt.NDArray[Any]]:
    """The tensor's new content, some rows at a time."""
    rows = tensor.source.mapped().reshape(tensor.source.shape[0], -1)
    row_bytes = rows.shape[1] * max(_ELEMENT_BYTES[tensor.type], rows.itemsize)
    step = max(1, PART_BYTES // row_bytes)
    for start in range(0, tensor.shape[0], step):
        chosen = slice(start, start + step) if tensor.rows is None else tensor.rows[start : start + step]
        yield _converted(rows[chosen], tensor)


def _converted(part: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[Any]:
    """Some rows of the source as they are to be stored, one after the other in memory."""
    if tensor.source.dtype == tensor.type:
        return np.ascontiguousarray(part)
    if tensor.source.dtype == BF16:
        assert tensor.type == F32, "16-bit tensors keep their kind of 16 bits"
        # A BF16 is the upper half of the F32 of the same value.
        return part.astype(np.uint32) << np.uint32(16)
    try:
        with np.errstate(over="raise"):
            return np.ascontiguousarray(part, dtype=np.float32 if tensor.type == F32 else np.float16)
    except FloatingPointError:
        refuse(f"tensor {tensor.source.name} has numbers too large for {tensor.type}")
