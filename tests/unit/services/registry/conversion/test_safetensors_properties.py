"""Laws of the safetensors reader: what was saved is read, and no bytes can do more than be refused."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from services.registry.conversion.safetensors import read_checkpoint
from services.registry.conversion.source import Source
from shared.errors import ModelFileInvalid

NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__")
SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4).map(tuple)
VALID = save({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, np.float16)})


def check_everything(content: bytes) -> None:
    """Read the file and every tensor's every element."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        checkpoint = read_checkpoint(Source({"model.safetensors": Path(file.name)}))
        for name in checkpoint.names:
            with contextlib.suppress(ModelFileInvalid):
                checkpoint.tensor(name, checkpoint.shape(name)).mapped().sum()


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.tuples(SHAPES, st.sampled_from(["<f2", "<f4", "<f8"])), max_size=5))
def test_every_tensor_that_was_saved_is_read_back(kinds: dict[str, tuple[tuple[int, ...], str]]) -> None:
    arrays = {name: np.full(shape, index, dtype) for index, (name, (shape, dtype)) in enumerate(kinds.items())}
    with tempfile.NamedTemporaryFile() as file:
        file.write(save(arrays))
        file.flush()
        checkpoint = read_checkpoint(Source({"model.safetensors": Path(file.name)}))
        assert set(checkpoint.names) == set(arrays)
        for name, array in arrays.items():
            assert np.array_equal(checkpoint.tensor(name, array.shape).mapped(), array)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    with contextlib.suppress(ModelFileInvalid):
        check_everything(content)


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, len(VALID) - 1), st.integers(0, 255), max_size=6), st.integers(0, len(VALID)))
def test_no_damage_to_a_valid_file_does_more_than_have_it_refused(changes: dict[int, int], length: int) -> None:
    content = bytearray(VALID)
    for place, value in changes.items():
        content[place] = value
    with contextlib.suppress(ModelFileInvalid):
        check_everything(bytes(content[:length]))
