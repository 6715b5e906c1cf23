"""Vectors as workers send them, made ready for clients: numbers, unit length, fewer dimensions. Pure.

Source: Ollama `server/routes.go` (EmbedHandler, normalize).
"""

import math
import struct
from collections.abc import Sequence

from shared.errors import ParameterInvalid


def numbers(packed: bytes) -> tuple[float, ...]:
    """The numbers of a vector sent as little-endian 32-bit floats.

    Raises: ParameterInvalid when the model computed what is no number.
    """
    values = struct.unpack(f"<{len(packed) // 4}f", packed)
    if not all(map(math.isfinite, values)):
        raise ParameterInvalid("embedding contains NaN or Inf values")
    return values


def packed(vector: Sequence[float]) -> bytes:
    """The vector as little-endian 32-bit floats."""
    return struct.pack(f"<{len(vector)}f", *vector)


def unit(vector: Sequence[float], dimensions: int = 0) -> Sequence[float]:
    """The vector with length 1; a zero vector stays. With fewer `dimensions` than it has it is cut to them first."""
    kept = vector[:dimensions] if 0 < dimensions < len(vector) else vector
    length = math.hypot(*kept)
    return [value / length for value in kept] if length else kept
