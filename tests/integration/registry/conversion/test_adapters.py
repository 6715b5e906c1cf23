"""Converted LoRA adapters change a model as the original adapter does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from fakes.conversions import converted
from fakes.llama_files import opened
from fakes.reference_models import cosine, llama_logits
from fakes.tiny_checkpoints import LLAMA_CONFIG, Weights, byte_level_tokenizer, files_of, llama_weights, write_folder
from services.registry.conversion.adapter_child import convert_adapter
from services.registry.conversion.messages import ConvertAdapter
from shared.errors import ModelFileInvalid

TOKENS = [0, *range(10, 50)]
RANK = 4
TARGETS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.down_proj")
ADAPTER_CONFIG: dict[str, Any] = {"peft_type": "LORA", "r": RANK, "lora_alpha": 12, "target_modules": ["q_proj"]}


def lora(weights: Weights) -> Weights:
    """Random small matrices for all targets of every layer, under PEFT's names."""
    random = np.random.default_rng(5)
    pairs: Weights = {}
    for name, array in weights.items():
        module = name.removesuffix(".weight")
        if module.endswith(TARGETS):
            for half, shape in {"A": (RANK, array.shape[1]), "B": (array.shape[0], RANK)}.items():
                values: npt.NDArray[np.float32] = random.normal(0, 0.2, shape).astype(np.float32)
                pairs[f"base_model.model.{module}.lora_{half}.weight"] = values
    return pairs


def merged(weights: Weights, pairs: Weights, scale: float) -> Weights:
    def change(name: str) -> Any:
        prefix = f"base_model.model.{name.removesuffix('.weight')}.lora_"
        return pairs[f"{prefix}B.weight"] @ pairs[f"{prefix}A.weight"] * scale if f"{prefix}A.weight" in pairs else 0

    return {name: array + change(name) for name, array in weights.items()}


def adapter_files(folder: Path, config: dict[str, Any], pairs: Weights) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(pairs, folder / "adapter_model.safetensors")
    return {name: str(path) for name, path in files_of(folder).items()}


@pytest.fixture
def base(tmp_path: Path) -> tuple[dict[str, Any], Weights, Path]:
    tokenizer = byte_level_tokenizer()
    config = {**LLAMA_CONFIG, "vocab_size": tokenizer.get_vocab_size()}
    weights = llama_weights(config)
    return config, weights, converted(write_folder(tmp_path, config, weights, tokenizer), tmp_path)


@pytest.mark.parametrize(("changes", "scale"), [({}, 12 / RANK), ({"use_rslora": True}, 12 / RANK**0.5)])
def test_a_converted_adapter_changes_the_model_as_merging_it_would(
    tmp_path: Path, base: tuple[dict[str, Any], Weights, Path], changes: dict[str, Any], scale: float
) -> None:
    config, weights, path = base
    pairs = lora(weights)
    output = tmp_path / "adapter.gguf"
    files = adapter_files(tmp_path / "adapter", {**ADAPTER_CONFIG, **changes}, pairs)
    convert_adapter(ConvertAdapter(files=files, base=str(path), output=str(output)), lambda _share: None)
    expected = llama_logits(config, merged(weights, pairs, scale), TOKENS)
    with opened(path) as model:
        before = model.logits(TOKENS)
        model.apply(output)
        after = model.logits(TOKENS)
    assert min(cosine(row, wanted) for row, wanted in zip(after, expected, strict=True)) > 0.9999
    assert cosine(before, expected) < 0.9


SIZES = ("rope.dimension_count", "attention.key_length", "attention.head_count", "embedding_length")


def without(path: Path, *keys: str) -> Path:
    """A copy of a model that says nothing under these keys, but under others that nobody knows."""
    content = path.read_bytes()
    for key in keys:
        known = stored_key(content, key)
        content = content.replace(known, known[:-1] + b"?")
    copy = path.with_name(f"without-{len(keys)}.gguf")
    copy.write_bytes(content)
    return copy


def stored_key(content: bytes, key: str) -> bytes:
    """A metadata key of the model's architecture as it stands in the file: its length, its text."""
    architecture = "llama" if b"llama.block_count" in content else "qwen2"
    name = f"{architecture}.{key}".encode()
    stored = len(name).to_bytes(8, "little") + name
    assert content.count(stored) == 1
    return stored


def test_the_length_of_a_head_is_found_where_a_base_does_not_state_it(
    tmp_path: Path, base: tuple[dict[str, Any], Weights, Path]
) -> None:
    _, weights, path = base
    files = adapter_files(tmp_path / "adapter", ADAPTER_CONFIG, lora(weights))
    outputs = [tmp_path / f"{count}.gguf" for count in range(3)]
    for count, output in enumerate(outputs):
        model = without(path, *SIZES[:count])
        convert_adapter(ConvertAdapter(files=files, base=str(model), output=str(output)), lambda _share: None)
    assert len({output.read_bytes() for output in outputs}) == 1
    work = ConvertAdapter(files=files, base=str(without(path, *SIZES)), output=str(tmp_path / "none.gguf"))
    with pytest.raises(ModelFileInvalid, match=r"nothing sensible about llama\.embedding_length"):
        convert_adapter(work, lambda _share: None)


def test_a_family_whose_rows_keep_their_order_needs_no_length_of_a_head(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    config = {**LLAMA_CONFIG, "architectures": ["Qwen2ForCausalLM"], "vocab_size": tokenizer.get_vocab_size()}
    weights = llama_weights(config, qkv_biases=True)
    path = without(converted(write_folder(tmp_path, config, weights, tokenizer), tmp_path), *SIZES)
    output = tmp_path / "adapter.gguf"
    files = adapter_files(tmp_path / "adapter", ADAPTER_CONFIG, lora(weights))
    convert_adapter(ConvertAdapter(files=files, base=str(path), output=str(output)), lambda _share: None)
    assert output.stat().st_size > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peft_type": "LOHA"}, "adapters of the type 'LOHA' are not supported"),
        ({"use_dora": True}, "adapters with DoRA"),
        ({"alpha_pattern": {"q_proj": 2}}, "adapters with DoRA"),
        ({"r": 8}, "has the shape"),
        ({"r": 0}, "adapter_config.json: "),
    ],
)
def test_an_adapter_that_would_be_changed_by_the_conversion_is_refused(
    tmp_path: Path, base: tuple[dict[str, Any], Weights, Path], changes: dict[str, Any], reason: str
) -> None:
    _, weights, path = base
    files = adapter_files(tmp_path / "adapter", {**ADAPTER_CONFIG, **changes}, lora(weights))
    work = ConvertAdapter(files=files, base=str(path), output=str(tmp_path / "adapter.gguf"))
    with pytest.raises(ModelFileInvalid, match=reason):
        convert_adapter(work, lambda _share: None)


@pytest.mark.parametrize(
    ("rename", "reason"),
    [
        ({"layers.0.": "layers.7."}, "changes nothing that the base model has"),
        ({".lora_A.weight": ".lora_magnitude_vector"}, "changes nothing that the base model has"),
        ({"layers.1.self_attn.q_proj.lora_A": "layers.1.mlp.up_proj.lora_A"}, "only half"),
    ],
)
def test_an_adapter_for_another_model_is_refused(
    tmp_path: Path, base: tuple[dict[str, Any], Weights, Path], rename: dict[str, str], reason: str
) -> None:
    _, weights, path = base
    pairs = lora(weights)
    for old, new in rename.items():
        pairs = {name.replace(old, new): array for name, array in pairs.items()}
    files = adapter_files(tmp_path / "adapter", ADAPTER_CONFIG, pairs)
    work = ConvertAdapter(files=files, base=str(path), output=str(tmp_path / "adapter.gguf"))
    with pytest.raises(ModelFileInvalid, match=reason):
        convert_adapter(work, lambda _share: None)
