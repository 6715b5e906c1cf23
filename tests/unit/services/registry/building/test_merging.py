"""A model in several files becomes the same model in one."""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
import pytest

from fakes import gguf_files as fake
from fakes import llama_models
from services.registry.building.derived import write_pieces
from services.registry.building.merging import Shard, Span, merged_pieces
from services.registry.gguf import Header, read_header
from shared.errors import InternalError, ModelFileInvalid


def shard(path: Path) -> Shard:
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        return Shard(path=path, size_bytes=size_bytes, header=read_header(file, size_bytes))


def written(path: Path, content: bytes) -> Shard:
    path.write_bytes(content)
    return shard(path)


def split(path: Path, folder: Path, *, count: int) -> list[Path]:
    """The model at `path` in `count` files, as llama.cpp's tool splits it: metadata first, tensors in turn."""
    reader = gguf.GGUFReader(path)
    parts: list[Path] = []
    for number in range(count):
        part = folder / f"m-{number + 1:05}-of-{count:05}.gguf"
        writer = gguf.GGUFWriter(part, "llama") if number == 0 else gguf.GGUFWriter(part, "")
        if number == 0:
            for field in reader.fields.values():
                if not field.name.startswith(("GGUF.", "general.architecture")):
                    kind = field.types[0]
                    item_kind = field.types[-1] if kind is gguf.GGUFValueType.ARRAY else None
                    writer.add_key_value(field.name, field.contents(), kind, item_kind)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", count)
        writer.add_int32("split.tensors.count", len(reader.tensors))
        for tensor in reader.tensors[number::count]:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        parts.append(part)
    return parts


async def merged(shards: Sequence[Shard], output: Path) -> Path:
    await write_pieces(merged_pieces(shards), output)
    return output


def header_of(path: Path) -> Header:
    return shard(path).header


async def test_a_split_model_is_put_together_again(tmp_path: Path) -> None:
    whole = llama_models.write_llama(tmp_path / "whole.gguf")
    parts = split(whole, tmp_path, count=3)
    output = await merged([shard(part) for part in parts], tmp_path / "merged.gguf")
    before, after = gguf.GGUFReader(whole), gguf.GGUFReader(output)
    tensors = {tensor.name: tensor for tensor in after.tensors}
    assert set(tensors) == {tensor.name for tensor in before.tensors}
    for tensor in before.tensors:
        assert tensors[tensor.name].tensor_type == tensor.tensor_type
        np.testing.assert_array_equal(tensors[tensor.name].data, tensor.data)
    wanted = {name: value for name, value in header_of(whole).metadata.items() if isinstance(value, int | float | str)}
    found = header_of(output).metadata
    assert {name: found[name] for name in wanted} == wanted
    assert not [name for name in found if name.startswith("split.")]
    assert output.stat().st_size == pytest.approx(whole.stat().st_size, rel=0.01)


async def test_alignment_and_odd_sizes_are_kept(tmp_path: Path) -> None:
    first = written(
        tmp_path / "1",
        fake.gguf(
            {"general.architecture": fake.string("llama"), "general.alignment": fake.typed("u32", 64)},
            [fake.tensor("a", (3,)), fake.tensor("b", (5,), offset=64)],
            data_bytes=128,
            alignment=64,
        ),
    )
    second = written(tmp_path / "2", fake.gguf({}, [fake.tensor("c", (1,))], data_bytes=4)[:-4] + b"\1\2\3\4")
    output = await merged([first, second], tmp_path / "out")
    header = header_of(output)
    assert header.data_offset_bytes % 64 == 0
    assert [(tensor.name, tensor.offset_bytes) for tensor in header.tensors] == [("a", 0), ("b", 64), ("c", 128)]
    start = header.data_offset_bytes + 128
    assert output.read_bytes()[start : start + 4] == b"\1\2\3\4"


def test_tensors_that_share_data_cannot_make_a_small_upload_large(tmp_path: Path) -> None:
    tensors = [fake.tensor(f"t{index}", (1024,)) for index in range(50)]
    hostile = written(tmp_path / "h", fake.gguf({"general.architecture": fake.string("x")}, tensors, data_bytes=4096))
    with pytest.raises(ModelFileInvalid) as refused:
        list(merged_pieces([hostile]))
    assert "overlap" in refused.value.message


def test_a_tensor_in_two_files_is_refused(tmp_path: Path) -> None:
    content = fake.gguf({"general.architecture": fake.string("x")}, [fake.tensor("t", (4,))], data_bytes=16)
    one, two = (written(tmp_path / name, content) for name in "ab")
    with pytest.raises(ModelFileInvalid):
        list(merged_pieces([one, two]))


async def test_a_file_that_shrank_meanwhile_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    with pytest.raises(InternalError):
        await write_pieces([Span(path=tmp_path / "short", start_bytes=0, size_bytes=4)], tmp_path / "out")
