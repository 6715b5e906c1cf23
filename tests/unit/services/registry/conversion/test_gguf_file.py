"""Writing a GGUF: numbers as they are to be stored, whatever they were and however many."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGUFReader

from services.registry.conversion.gguf_file import PART_BYTES, Metadata, Tensor, type_for, write_gguf
from services.registry.conversion.safetensors import StoredTensor
from shared.errors import ModelFileInvalid


def stored(array: npt.NDArray[Any], dtype: str) -> StoredTensor:
    return StoredTensor(name="source", dtype=dtype, shape=array.shape, buffer=array.tobytes())


def written(
    folder: Path,
    *tensors: Tensor,
    metadata: Metadata | None = None,
    tell: Callable[[float], None] = lambda _share: None,
) -> GGUFReader:
    write_gguf(folder / "out.gguf", "test", metadata or {}, tensors, tell)
    return GGUFReader(folder / "out.gguf")


@pytest.mark.parametrize(
    ("dtype", "shape", "type_"),
    [
        ("F32", (3,), "F32"), ("F16", (3,), "F32"), ("BF16", (3,), "F32"),
        ("F64", (3, 3), "F16"), ("F32", (3, 3), "F16"), ("F16", (3, 3), "F16"), ("BF16", (3, 3), "BF16"),
    ],
)  # fmt: skip
def test_vectors_are_kept_exactly_and_matrices_in_their_kind_of_sixteen_bits(
    dtype: str, shape: tuple[int, ...], type_: str
) -> None:
    assert type_for(StoredTensor(name="a", dtype=dtype, shape=shape, buffer=b"")) == type_


@pytest.mark.parametrize(
    ("array", "dtype", "type_", "expected"),
    [
        (np.array([[1.5, -2.25]], "<f4"), "F32", "F16", [[1.5, -2.25]]),
        (np.array([[1.5, -2.25]], "<f8"), "F64", "F32", [[1.5, -2.25]]),
        (np.array([1.5, -2.25], "<f2"), "F16", "F32", [1.5, -2.25]),
        (np.array([0x3FC0, 0xC010], "<u2"), "BF16", "F32", [1.5, -2.25]),
        (np.array([[1e-8, 65504.0]], "<f4"), "F32", "F16", [[0.0, 65504.0]]),
        (np.array([[np.inf, -np.inf]], "<f4"), "F32", "F16", [[np.inf, -np.inf]]),
    ],
)
def test_numbers_are_stored_as_their_new_type(
    tmp_path: Path, array: npt.NDArray[Any], dtype: str, type_: str, expected: list[Any]
) -> None:
    (tensor,) = written(tmp_path, Tensor(name="a", source=stored(array, dtype), type=type_)).tensors
    assert tensor.tensor_type.name == type_
    assert np.array_equal(tensor.data.reshape(array.shape), expected)


def test_a_number_too_large_for_sixteen_bits_is_refused(tmp_path: Path) -> None:
    source = stored(np.array([[1.0, 70_000.0]], "<f4"), "F32")
    with pytest.raises(ModelFileInvalid, match="tensor source has numbers too large for F16"):
        written(tmp_path, Tensor(name="a", source=source, type="F16"))


def test_rows_are_taken_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    source = stored(np.arange(8, dtype="<f4").reshape(4, 2), "F32")
    (tensor,) = written(tmp_path, Tensor(name="a", source=source, type="F32", rows=np.array([3, 1]))).tensors
    assert tensor.data.tolist() == [[6, 7], [2, 3]]


def test_a_tensor_larger_than_a_part_is_written_whole(tmp_path: Path) -> None:
    columns = 1000
    rows = PART_BYTES // (4 * columns) * 2 + 7
    array = np.arange(rows * columns, dtype="<f4").reshape(rows, columns)
    shares: list[float] = []
    order = np.arange(rows)[::-1].copy()
    tensors = [
        Tensor(name="straight", source=stored(array, "F32"), type="F32"),
        Tensor(name="reversed", source=stored(array, "F32"), type="F32", rows=order),
        Tensor(name="vector", source=stored(array.reshape(-1), "F32"), type="F32"),
    ]
    straight, backwards, vector = written(tmp_path, *tensors, tell=shares.append).tensors
    assert np.array_equal(straight.data, array)
    assert np.array_equal(backwards.data, array[::-1])
    assert np.array_equal(vector.data, array.reshape(-1))
    assert len(shares) >= 9
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_file_says_what_most_of_it_is_stored_as(tmp_path: Path) -> None:
    vector = Tensor(name="v", source=stored(np.ones(2, "<f4"), "F32"), type="F32")
    matrix = Tensor(name="m", source=stored(np.ones((2, 2), "<f2"), "F16"), type="F16")
    assert written(tmp_path, vector).fields["general.file_type"].contents() == 0
    assert written(tmp_path, vector, matrix).fields["general.file_type"].contents() == 1


def test_metadata_are_read_back_as_they_were_given(tmp_path: Path) -> None:
    metadata: Metadata = {
        "flag": True, "count": 7, "factor": 0.5, "text": "ü", "texts": ["a", "b"], "numbers": [1, -1],
        "factors": [0.5, 2.0], "bytes": b"\x00\xff",
    }  # fmt: skip
    tensor = Tensor(name="v", source=stored(np.ones(2, "<f4"), "F32"), type="F32")
    fields = written(tmp_path, tensor, metadata=metadata).fields
    read = {name: fields[name].contents() for name in metadata}
    assert read == {**metadata, "bytes": [0, 255]}
