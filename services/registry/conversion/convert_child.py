"""A folder of safetensors becomes a GGUF. Runs in a child process."""

from collections.abc import Callable
from pathlib import Path

from gguf import Keys

from services.registry.conversion import bert_family, llama_family
from services.registry.conversion.gguf_file import Metadata, write_gguf
from services.registry.conversion.messages import Convert
from services.registry.conversion.model_config import ModelConfig, read_architecture, read_config
from services.registry.conversion.safetensors import label, read_checkpoint
from services.registry.conversion.source import Source, refuse
from services.registry.conversion.vocabularies.reading import tokenizer_metadata

SUPPORTED = sorted((*llama_family.FAMILIES, *bert_family.ARCHITECTURES))


def convert(work: Convert, tell: Callable[[float], None]) -> None:
    """Raises: ModelFileInvalid, OSError."""
    source = Source({name: Path(path) for name, path in work.files.items()})
    architecture = read_architecture(source)
    if architecture not in SUPPORTED:
        refuse(f"unsupported architecture {label(architecture)}; supported are {', '.join(SUPPORTED)}")
    config = read_config(source)
    checkpoint = read_checkpoint(source)
    if family := llama_family.FAMILIES.get(architecture):
        name = family.name
        metadata = llama_family.metadata_of(config, family)
        tensors = llama_family.tensors_of(config, family, checkpoint)
    else:
        name = bert_family.ARCHITECTURE
        metadata = bert_family.metadata_of(architecture, config, source)
        tensors = bert_family.tensors_of(architecture, config, checkpoint)
    write_gguf(Path(work.output), name, {**metadata, **_general(source, config)}, tensors, tell)


def _general(source: Source, config: ModelConfig) -> Metadata:
    return {Keys.General.TYPE: "model", **tokenizer_metadata(source, config)}
