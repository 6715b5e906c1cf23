"""Safetensors files: what is read, and what is refused with which reason."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from services.registry.conversion.safetensors import Checkpoint, read_checkpoint
from services.registry.conversion.source import Source
from shared.errors import ModelFileInvalid


def read(files: Mapping[str, bytes], folder: Path) -> Checkpoint:
    for name, content in files.items():
        (folder / name.replace("/", "-")).write_bytes(content)
    return read_checkpoint(Source({name: folder / name.replace("/", "-") for name in files}))


def safetensors(header: Mapping[str, Any] | bytes, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(begin: int, end: int, *, dtype: str = "F16", shape: tuple[int, ...] = (2,)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


ONE = {"a": entry(0, 4)}
"""One tensor of two 16-bit floats."""


def test_tensors_are_what_the_safetensors_library_wrote(tmp_path: Path) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {
        "half": np.arange(6, dtype=np.float16).reshape(2, 3),
        "single": np.arange(4, dtype=np.float32),
        "double": np.arange(2, dtype=np.float64).reshape(1, 2, 1),
        "whole": np.arange(3, dtype=np.int64),
    }
    save_file(arrays, tmp_path / "model.safetensors", {"format": "pt"})
    checkpoint = read_checkpoint(Source({"model.safetensors": tmp_path / "model.safetensors"}))
    assert set(checkpoint.names) == set(arrays)
    for name in ("half", "single", "double"):
        tensor = checkpoint.tensor(name, arrays[name].shape)
        assert np.array_equal(tensor.mapped(), arrays[name])
        assert tensor.mapped().dtype == arrays[name].dtype


def test_sixteen_bit_brain_floats_are_seen_as_their_bits(tmp_path: Path) -> None:
    content = safetensors({"a": entry(0, 4, dtype="BF16")}, b"\x80\x3f\x00\xc0")
    assert read({"model.safetensors": content}, tmp_path).tensor("a", (2,)).mapped().tolist() == [0x3F80, 0xC000]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "too short"),
        (b"1234567", "too short"),
        ((1 << 63).to_bytes(8, "little"), "a header of 9223372036854775808 bytes"),
        ((3).to_bytes(8, "little") + b"{}", "a header of 3 bytes"),
        (safetensors(b"[]"), "malformed"),
        (safetensors(b"{"), "malformed"),
        (safetensors(b'{"\xff": 1}'), "malformed"),
        (safetensors(b'{"a": {"dtype": "F16"}}'), "malformed"),
        (safetensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "malformed"),
        (safetensors({"a": entry(0, 8)}, bytes(4)), "outside the file"),
        (safetensors({"a": entry(-4, 0)}, bytes(4)), "outside the file"),
        (safetensors({"a": entry(4, 0)}, bytes(4)), "outside the file"),
        (safetensors({"a": entry(0, 4), "b": entry(2, 6)}, bytes(8)), "overlap"),
        (safetensors({"a": entry(0, 4), "b": entry(0, 4)}, bytes(4)), "overlap"),
        (safetensors({"a": entry(0, 4, shape=(3,))}, bytes(4)), "size of its shape"),
        (safetensors({"a": entry(0, 4, shape=(2**62, 2**62, 4))}, bytes(4)), "size of its shape"),
        (safetensors({"a": entry(0, 4, shape=(-1, -2))}, bytes(4)), "impossible shape"),
        (safetensors({"a": entry(0, 2, shape=(1,) * 5)}, bytes(2)), "impossible shape"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(ModelFileInvalid, match=reason):
        read({"model.safetensors": content}, tmp_path)


@pytest.mark.parametrize(
    ("header", "name", "shape", "reason"),
    [
        (ONE, "b", (2,), "tensor b is missing"),
        (ONE, "a", (1, 2), r"has the shape \[2\]; config.json makes it \[1, 2\]"),
        ({"a": entry(0, 4, dtype="I16")}, "a", (2,), "is stored as 'I16'; BF16, F16, F32, F64 can be converted"),
        ({"a": entry(0, 4, dtype="F8_E4M3")}, "a", (2,), "is stored as 'F8_E4M3'"),
    ],
)
def test_a_tensor_that_is_not_what_the_model_needs_is_refused(
    tmp_path: Path, header: dict[str, Any], name: str, shape: tuple[int, ...], reason: str
) -> None:
    checkpoint = read({"model.safetensors": safetensors(header, bytes(4))}, tmp_path)
    with pytest.raises(ModelFileInvalid, match=reason):
        checkpoint.tensor(name, shape)


def test_files_of_subfolders_belong_to_something_else(tmp_path: Path) -> None:
    content = safetensors(ONE, bytes(4))
    assert list(read({"model.safetensors": content, "onnx/model.safetensors": content}, tmp_path).names) == ["a"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["pytorch_model.bin"], "there is no .safetensors file"),
        (["sub/model.safetensors"], "there is no .safetensors file"),
        (["model-00001-of-00002.safetensors"], "'model-00002-of-00002.safetensors' is missing"),
        (["model-00001-of-99999.safetensors"], "99999 files are more than the 1024 allowed"),
        (["model.safetensors", "other.safetensors"], "tensor 'a' is in more than one file"),
    ],
)
def test_a_set_of_files_that_is_not_one_model_is_refused(tmp_path: Path, names: list[str], reason: str) -> None:
    with pytest.raises(ModelFileInvalid, match=reason):
        read(dict.fromkeys(names, safetensors(ONE, bytes(4))), tmp_path)


@pytest.mark.parametrize("named", ["../../etc/passwd", "/etc/passwd", "other.safetensors", ""])
def test_an_index_names_only_files_of_the_import(tmp_path: Path, named: str) -> None:
    index = json.dumps({"weight_map": {"a": named}}).encode()
    files = {"model.safetensors": safetensors(ONE, bytes(4)), "model.safetensors.index.json": index}
    with pytest.raises(ModelFileInvalid, match="is missing"):
        read(files, tmp_path)


def test_an_index_says_which_files_count(tmp_path: Path) -> None:
    index = json.dumps({"weight_map": {"a": "one.safetensors"}}).encode()
    content = safetensors(ONE, bytes(4))
    files = {"one.safetensors": content, "copy.safetensors": content, "model.safetensors.index.json": index}
    assert list(read(files, tmp_path).names) == ["a"]
