"""Models for tests that need one in the index and never its bytes."""

from shared.digest import Digest
from shared.generation import Message
from shared.model_index import ModelDetails, ModelEntry
from shared.model_name import parse_model_name

WEIGHTS = Digest("sha256:" + "a" * 64)


def model_entry(
    name: str,
    *,
    weights: Digest = WEIGHTS,
    capabilities: tuple[str, ...] = ("completion",),
    system: str = "",
    messages: tuple[Message, ...] = (),
    params: dict[str, object] | None = None,
    family: str = "llama",
) -> ModelEntry:
    return ModelEntry(
        name=parse_model_name(name),
        digest="d" * 64,
        weights=weights,
        weights_bytes=1_000,
        size_bytes=1_100,
        modified_unix_ms=1_700_000_000_000,
        details=ModelDetails(family=family, families=(family,), parameter_size="135M", quantization_level="Q4_0"),
        capabilities=capabilities,
        context_length=4096,
        embedding_length=64,
        kv_bytes_per_token=128,
        system=system,
        messages=messages,
        params=params or {},
    )
