"""The file types that a model may be quantized to and from, by Ollama's names. Pure.

Source: Ollama `server/quantization.go`, llama.cpp `llama.h` (llama_ftype).
"""

from typing import Final

F32: Final = "F32"
F16: Final = "F16"
BF16: Final = "BF16"

TARGETS: Final = {F32: 0, F16: 1, "Q8_0": 7, "Q4_K_S": 14, "Q4_K_M": 15, BF16: 32}
"""Names and llama.cpp's numbers, which are also the values of `general.file_type`."""

_ALIASES: Final = {"Q4_K": "Q4_K_M"}


def target_named(text: str) -> str | None:
    """The type a user means by `text`, in any case; None when there is no such type."""
    name = _ALIASES.get(text.upper(), text.upper())
    return name if name in TARGETS else None
