"""Whether weights may be quantized, and to what. Pure."""

from services.registry.model_facts import ModelFacts
from shared.errors import QuantizationUnsupported


def needs_quantizing(facts: ModelFacts, file_type: str) -> bool:
    """Whether weights have to be written again to be of `file_type`; empty asks for nothing.

    Raises: QuantizationUnsupported for weights that have lost precision already.
    """
    if not file_type:
        return False
    if not facts.precision:
        raise QuantizationUnsupported("quantization is only supported for F16, BF16 and F32 models")
    return facts.precision != file_type


def quantized_bytes_max(size_bytes: int, file_type: str) -> int:
    """The most that quantized weights of so many bytes may take: only F32 is larger than what it may come from."""
    return 2 * size_bytes if file_type == "F32" else size_bytes
