"""Quantization by llama.cpp in a child: what comes out is what was asked for, and it still computes."""

from pathlib import Path

import pytest

from fakes.conversions import converted
from fakes.gguf_files import real_model, tiny_model
from fakes.llama_files import opened
from fakes.reference_models import cosine, llama_logits
from fakes.tiny_checkpoints import LLAMA_CONFIG, Weights, byte_level_tokenizer, llama_weights, write_folder
from services.registry.conversion.converter import Converter
from services.registry.conversion.file_types import TARGETS
from services.registry.gguf import Header, read_header
from shared.errors import ModelFileInvalid

TOKENS = [0, *range(10, 50)]
CONFIG = {**LLAMA_CONFIG, "hidden_size": 256, "intermediate_size": 512, "vocab_size": 640}


@pytest.fixture(scope="module")
def weights() -> Weights:
    return llama_weights(CONFIG)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, weights: Weights) -> Path:
    """A model whose rows are as long as the blocks of K-quantizations."""
    folder = tmp_path_factory.mktemp("source")
    return converted(write_folder(folder, CONFIG, weights, byte_level_tokenizer()), folder)


def header_of(path: Path) -> Header:
    with path.open("rb") as file:
        return read_header(file, path.stat().st_size)


@pytest.mark.parametrize(
    ("file_type", "tensor_type", "cosine_min"),
    [
        ("F32", "F32", 0.99999),
        ("F16", "F16", 0.99999),
        ("BF16", "BF16", 0.999),
        ("Q8_0", "Q8_0", 0.999),
        ("Q4_K_S", "Q4_K", 0.9),  # random numbers have nothing that four bits could leave out
        ("Q4_K_M", "Q4_K", 0.9),
    ],
)
async def test_a_quantized_model_computes_nearly_what_the_original_does(
    tmp_path: Path, converter: Converter, source: Path, weights: Weights,
    file_type: str, tensor_type: str, cosine_min: float,
) -> None:  # fmt: skip
    shares: list[float] = []
    output = tmp_path / "quantized.gguf"
    await converter.quantize(source, output, file_type, tell=shares.append)
    header = header_of(output)
    types = {tensor.name: tensor.type.name for tensor in header.tensors}
    assert header.metadata["general.file_type"] == TARGETS[file_type]
    assert types["blk.0.attn_q.weight"] == tensor_type
    assert types["output_norm.weight"] == "F32"
    assert shares == sorted(shares)
    assert len(shares) > len(types) / 2
    assert shares[-1] == 1.0
    expected = llama_logits(CONFIG, weights, TOKENS)
    with opened(output) as model:
        logits = model.logits(TOKENS)
    assert min(cosine(row, wanted) for row, wanted in zip(logits, expected, strict=True)) > cosine_min


async def test_a_model_that_is_quantized_already_is_refused(tmp_path: Path, converter: Converter) -> None:
    with pytest.raises(ModelFileInvalid, match="requantizing from type q4_1 is disabled"):
        await converter.quantize(real_model(), tmp_path / "out.gguf", "Q8_0", tell=lambda _share: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "invalid GGUF file: the file ends"),
        (b"GGUF", "invalid GGUF file: the file ends"),
        (b"not a model at all", "invalid GGUF file: it does not begin with the magic number"),
        (tiny_model(), "key not found in model"),
        (tiny_model(general__architecture=b"\x08\0\0\0\x04\0\0\0\0\0\0\0what"), "unknown model architecture"),
    ],
)
async def test_a_broken_file_is_refused_with_its_reason(
    tmp_path: Path, converter: Converter, content: bytes, reason: str
) -> None:
    source = tmp_path / "source.gguf"
    source.write_bytes(content)
    with pytest.raises(ModelFileInvalid, match=reason):
        await converter.quantize(source, tmp_path / "out.gguf", "Q8_0", tell=lambda _share: None)
    assert [path.name for path in tmp_path.iterdir()] == ["source.gguf"]
