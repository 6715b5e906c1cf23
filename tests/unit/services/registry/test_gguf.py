"""GGUF headers: what they say when they are whole, and why they are refused when they are not."""

import io
import struct
from pathlib import Path

import gguf as reference
import pytest

from fakes import gguf_files as fake
from services.registry import gguf
from services.registry.gguf import Array, Header, read_array, read_header
from shared.errors import ModelFileInvalid


def read(content: bytes) -> Header:
    return read_header(io.BytesIO(content), len(content))


def reason(content: bytes) -> str:
    with pytest.raises(ModelFileInvalid) as caught:
        read(content)
    return caught.value.message.removeprefix("invalid GGUF file: ")


def items(content: bytes, value: object) -> gguf.Items:
    assert isinstance(value, Array)
    return read_array(io.BytesIO(content), len(content), value)


def test_metadata_and_tensors_of_a_whole_file_are_read() -> None:
    content = fake.tiny_model()
    header = read(content)
    assert header.version == 3
    assert header.metadata["general.architecture"] == "llama"
    assert header.metadata["tokenizer.ggml.add_bos_token"] is True
    assert header.metadata["llama.rope.freq_base"] == 10000.0
    first, second = header.tensors
    assert (first.name, first.type.name, first.shape, first.elements_count) == (
        "token_embd.weight", "F32", (64, 32), 2048,
    )  # fmt: skip
    assert second.offset_bytes == 8192


def test_version_2_is_read_and_1_and_big_endian_are_refused() -> None:
    assert read(fake.gguf({}, version=2)).version == 2
    assert reason(fake.gguf({}, version=1)) == "version 1 is not supported"
    assert reason(fake.gguf({}, version=3 << 24)) == "big-endian files are not supported"
    assert reason(b"GGML" + bytes(40)) == "it does not begin with the magic number"
    assert reason(b"GG") == "the file ends within the magic number"


@pytest.mark.parametrize("kind", ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bool"])
def test_every_scalar_type_is_read_alone_and_in_arrays(kind: str) -> None:
    header = read(fake.gguf({"one": fake.typed(kind, 1), "many": fake.array(kind, [1, 0, 1])}))
    many = header.metadata["many"]
    assert header.metadata["one"] == 1
    assert isinstance(many, Array)
    assert many.items == (1, 0, 1)


def test_vocabularies_stay_in_the_file_until_they_are_asked_for() -> None:
    content = fake.tiny_model()
    tokens = read(content).metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, Array)
    assert (tokens.count, tokens.items) == (3, None)
    assert items(content, tokens) == ["a", "b", "ü"]


def test_arrays_of_arrays_are_read_down_to_the_nesting_limit() -> None:
    def nested(depth: int) -> bytes:
        inner = fake.array("u8", [1, 2])[4:]
        for _ in range(depth - 1):
            inner = struct.pack("<IQ", fake.ARRAY, 1) + inner
        return struct.pack("<I", fake.ARRAY) + inner

    content = fake.gguf({"deep": nested(gguf.ARRAY_NESTING_MAX)})
    assert items(content, read(content).metadata["deep"]) == [[[[1, 2]]]]
    assert "nested more than 4 deep" in reason(fake.gguf({"deep": nested(gguf.ARRAY_NESTING_MAX + 1)}))


@pytest.mark.parametrize("count", [2**63, 2**64 - 1, 10**12, 70_000])
def test_absurd_counts_are_refused_before_anything_is_read_for_them(count: int) -> None:
    big = struct.pack("<Q", count)
    assert "tensors" in reason(b"GGUF" + struct.pack("<I", 3) + big + bytes(8))
    assert "metadata pairs" in reason(b"GGUF" + struct.pack("<IQ", 3, 0) + big)
    for item_type in (0, 4, fake.STRING, fake.ARRAY):
        assert "items of 'k'" in reason(fake.gguf({"k": struct.pack("<II", fake.ARRAY, item_type) + big}))
    assert "the value of 'k'" in reason(fake.gguf({"k": struct.pack("<I", fake.STRING) + big}))
    assert "a metadata key" in reason(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + big + bytes(64))


def test_long_keys_and_tensor_names_are_refused() -> None:
    read(fake.gguf({"k" * gguf.KEY_BYTES_MAX: fake.typed("u8", 1)}))
    assert "a metadata key" in reason(fake.gguf({"k" * (gguf.KEY_BYTES_MAX + 1): fake.typed("u8", 1)}))
    longest = "t" * gguf.TENSOR_NAME_BYTES_MAX
    read(fake.gguf({}, [fake.tensor(longest, (1,))], data_bytes=4))
    assert "a tensor name" in reason(fake.gguf({}, [fake.tensor(longest + "t", (1,))], data_bytes=4))


def test_kept_text_has_a_limit_over_all_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "TEXT_BYTES_MAX", 100)
    read(fake.gguf({"a": fake.string("x" * 49), "b": fake.string("x" * 49)}))
    assert "more than the" in reason(fake.gguf({"a": fake.string("x" * 49), "b": fake.string("x" * 50)}))


def test_unknown_types_are_refused() -> None:
    assert reason(fake.gguf({"k": struct.pack("<I", 13) + bytes(8)})) == "'k' has the unknown type 13"
    array = struct.pack("<IIQ", fake.ARRAY, 99, 1) + bytes(8)
    assert reason(fake.gguf({"k": array})) == "'k' has items of the unknown type 99"
    assert "unknown type 4" in reason(fake.gguf({}, [fake.tensor("t", (32,), type_number=4)], data_bytes=64))


@pytest.mark.parametrize("shape", [(), (1, 1, 1, 1, 1), (0,), (2**63,), (2**32, 2**32), (2**62, 4, 1, 1)])
def test_impossible_shapes_are_refused(shape: tuple[int, ...]) -> None:
    assert "tensor 't'" in reason(fake.gguf({}, [fake.tensor("t", shape)], data_bytes=64))


def test_tensor_data_must_lie_within_the_file() -> None:
    whole = fake.gguf({}, [fake.tensor("t", (8,))], data_bytes=32)
    read(whole)
    assert "lie beyond the end" in reason(whole[:-1])
    assert "lie beyond the end" in reason(fake.gguf({}, [fake.tensor("t", (8,), offset=2**64 - 1)], data_bytes=32))


def test_quantized_rows_are_whole_blocks_and_sized_as_such() -> None:
    q4_0 = {"type_number": 2}
    read(fake.gguf({}, [fake.tensor("t", (32, 2), **q4_0)], data_bytes=36))
    assert "lie beyond the end" in reason(fake.gguf({}, [fake.tensor("t", (32, 2), **q4_0)], data_bytes=35))
    assert "no whole blocks" in reason(fake.gguf({}, [fake.tensor("t", (16, 4), **q4_0)], data_bytes=36))


def test_the_same_name_twice_is_refused() -> None:
    pair = fake.text("k") + fake.typed("u8", 1)
    assert "twice" in reason(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + pair + pair)
    assert "twice" in reason(fake.gguf({}, [fake.tensor("t", (1,))] * 2, data_bytes=4))


@pytest.mark.parametrize("alignment", [fake.typed("u32", 0), fake.typed("u32", 48), fake.string("32")])
def test_a_senseless_alignment_is_refused(alignment: bytes) -> None:
    assert reason(fake.gguf({"general.alignment": alignment})) == "general.alignment is no sensible power of two"


def test_alignment_moves_the_data() -> None:
    metadata = {"general.alignment": fake.typed("u32", 4096)}
    read(fake.gguf(metadata, [fake.tensor("t", (8,))], data_bytes=32, alignment=4096))
    assert "lie beyond" in reason(fake.gguf(metadata, [fake.tensor("t", (8,))], data_bytes=32))


def test_text_that_is_not_utf8_is_shown_with_replacement_characters() -> None:
    assert read(fake.gguf({"k": fake.string(b"\xff!")})).metadata["k"] == "\ufffd!"


def test_the_real_model_reads_as_the_reference_reader_reads_it() -> None:
    path = fake.real_model()
    expected = reference.GGUFReader(path)
    with path.open("rb") as file:
        header = read_header(file, path.stat().st_size)
        tokens = header.metadata["tokenizer.ggml.tokens"]
        assert isinstance(tokens, Array)
        file.seek(0)
        vocabulary = read_array(file, path.stat().st_size, tokens)
    assert vocabulary == expected.fields["tokenizer.ggml.tokens"].contents()
    assert header.metadata["tokenizer.chat_template"] == expected.fields["tokenizer.chat_template"].contents()
    assert [(tensor.name, tensor.type.name, list(tensor.shape)) for tensor in header.tensors] == [
        (tensor.name, tensor.tensor_type.name, tensor.shape.tolist()) for tensor in expected.tensors
    ]


def test_a_file_written_by_the_reference_writer_is_read(tmp_path: Path) -> None:
    path = tmp_path / "written.gguf"
    writer = reference.GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_token_list(["a", "b"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = path.read_bytes()
    header = read(content)
    assert header.metadata["llama.context_length"] == 2048
    assert items(content, header.metadata["tokenizer.ggml.tokens"]) == ["a", "b"]
