"""A converter that may do one thing at a time, and the shortest road from a folder to a GGUF."""

import pytest

from services.registry.conversion.converter import ConversionLimits, Converter

MEMORY_BYTES_MAX = 1 << 30


@pytest.fixture
def converter() -> Converter:
    return Converter(ConversionLimits(at_once_max=1, memory_bytes_max=MEMORY_BYTES_MAX, n_threads=1, stall_s=60))
