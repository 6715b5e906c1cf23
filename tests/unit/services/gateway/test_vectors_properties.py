"""Laws of vectors on their way to clients."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.vectors import numbers, packed, unit

VECTORS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40)


@given(VECTORS)
def test_numbers_survive_the_wire(vector: list[float]) -> None:
    assert list(numbers(packed(vector))) == vector


@given(VECTORS, st.integers(-2, 50))
def test_a_unit_vector_has_length_one_the_same_direction_and_the_wanted_dimensions(
    vector: list[float], dimensions: int
) -> None:
    kept = vector[:dimensions] if 0 < dimensions < len(vector) else vector
    found = unit(vector, dimensions)
    assert len(found) == len(kept)
    length = math.hypot(*kept)
    if length:
        assert math.hypot(*found) == pytest.approx(1)
    assert [value * length for value in found] == pytest.approx(kept if length else [0.0] * len(kept))
