"""A PEFT LoRA folder becomes a GGUF adapter for models like a given one. Runs in a child process.

Source: peft `LoraConfig` and its checkpoint format; llama.cpp `llama-adapter.cpp` for what an adapter file holds.
"""

import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from gguf import Keys, get_tensor_name_map
from msgspec import Meta

from services.registry.conversion.file_types import F32
from services.registry.conversion.gguf_file import Metadata, Tensor, write_gguf
from services.registry.conversion.llama_family import FAMILIES, Family, rotated_rows
from services.registry.conversion.messages import ConvertAdapter
from services.registry.conversion.model_config import LAYERS_MAX
from services.registry.conversion.safetensors import Checkpoint, label, read_checkpoint
from services.registry.conversion.source import Source, refuse
from services.registry.gguf import Header, read_header

RANK_MAX: Final = 4096

_LORA_TENSOR: Final = re.compile(r"base_model\.model\.(model\.layers\.(\d+)\.[a-z_.]+)\.lora_([AB])\.weight")


class _AdapterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """PEFT's `adapter_config.json`."""

    peft_type: str
    r: Annotated[int, Meta(ge=1, le=RANK_MAX)]
    lora_alpha: Annotated[float, Meta(gt=0, le=1e9)]
    use_rslora: bool = False
    use_dora: bool = False
    fan_in_fan_out: bool = False
    rank_pattern: dict[str, int] | None = None
    alpha_pattern: dict[str, float] | None = None


class _Base(msgspec.Struct, frozen=True):
    """What an adapter must know of the model that it adapts; `head_length` is 0 where rows need no other order."""

    family: Family
    layers_count: int
    head_length: int
    shapes: dict[str, tuple[int, ...]]


def convert_adapter(work: ConvertAdapter, tell: Callable[[float], None]) -> None:
    """Raises: ModelFileInvalid, OSError."""
    source = Source({name: Path(path) for name, path in work.files.items()})
    config = source.json("adapter_config.json", _AdapterConfig)
    _check(config)
    with Path(work.base).open("rb") as file:
        base = _base(read_header(file, os.fstat(file.fileno()).st_size))
    tensors = list(_tensors(config, base, read_checkpoint(source)))
    if not tensors:
        refuse("the adapter has no LoRA tensors")
    write_gguf(Path(work.output), base.family.name, _metadata(config), tensors, tell)


def _check(config: _AdapterConfig) -> None:
    if config.peft_type != "LORA":
        refuse(f"adapters of the type {label(config.peft_type)} are not supported; LORA ones are")
    if config.use_dora or config.fan_in_fan_out or config.rank_pattern or config.alpha_pattern:
        refuse("adapters with DoRA, fan_in_fan_out or patterns of ranks and alphas are not supported")


def _metadata(config: _AdapterConfig) -> Metadata:
    """llama.cpp divides alpha by the rank; rank-stabilised adapters are meant to be divided by its square root."""
    alpha = config.lora_alpha * (math.sqrt(config.r) if config.use_rslora else 1.0)
    return {Keys.General.TYPE: "adapter", Keys.Adapter.TYPE: "lora", Keys.Adapter.LORA_ALPHA: alpha}


def _base(header: Header) -> _Base:
    architecture = header.metadata.get(Keys.General.ARCHITECTURE)
    family = next((family for family in FAMILIES.values() if family.name == architecture), None)
    if family is None:
        refuse(f"adapters for {architecture} models are not supported")

    shapes = {tensor.name: tuple(reversed(tensor.shape)) for tensor in header.tensors}
    layers_count = min(_count(header, Keys.LLM.BLOCK_COUNT), LAYERS_MAX)
    return _Base(family, layers_count, _head_length(header) if family.interleaves else 0, shapes)


def _head_length(header: Header) -> int:
    """How many elements of a head are rotated. Not all files say so: then it is all of them."""
    for key in (Keys.Rope.DIMENSION_COUNT, Keys.Attention.KEY_LENGTH):
        if _named(header, key) in header.metadata:
            return _count(header, key)
    return _count(header, Keys.LLM.EMBEDDING_LENGTH) // _count(header, Keys.Attention.HEAD_COUNT)


def _count(header: Header, key: str) -> int:
    name = _named(header, key)
    value = header.metadata.get(name)
    if not isinstance(value, int) or value < 1:
        refuse(f"the base model says nothing sensible about {name}")
    return value


def _named(header: Header, key: str) -> str:
    return key.format(arch=header.metadata[Keys.General.ARCHITECTURE])


def _tensors(config: _AdapterConfig, base: _Base, checkpoint: Checkpoint) -> Iterator[Tensor]:
    """The pairs of small matrices, each under the name of the tensor that it changes.

    Shapes: A is rank x the tensor's columns, B the tensor's rows x rank.
    """
    names = get_tensor_name_map(base.family.arch, base.layers_count)
    halves: dict[str, set[str]] = {}
    for name in checkpoint.names:
        found = _LORA_TENSOR.fullmatch(name)
        module, half = (f"{found[1]}.weight", found[3]) if found else ("", "")
        target = names.get_name(module, try_suffixes=(".weight",))
        if target is None or target not in base.shapes:
            refuse(f"tensor {label(name)} changes nothing that the base model has")
        rows, columns = base.shapes[target]
        halves.setdefault(target, set()).add(half)
        shape = (config.r, columns) if half == "A" else (rows, config.r)
        yield Tensor(
            name=f"{target}.lora_{half.lower()}",
            source=checkpoint.tensor(name, shape),
            type=F32,
            rows=rotated_rows(base.family, base.head_length, module, rows) if half == "B" else None,
        )
    for target, found_halves in halves.items():
        if len(found_halves) != 2:
            refuse(f"the adapter has only half of what changes {target}")
