"""Which build of llama.cpp's kernels is loaded."""

from pathlib import Path

import llama_cpp
import pytest
from llama_cpp.llama_cpp import _lib as library

from shared.llama_kernels import best, load_kernels, score

HASWELL, ICELAKE, AMX = (Path(f"libggml-cpu-{name}.so") for name in ("haswell", "icelake", "sapphirerapids"))


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ({HASWELL: 64, ICELAKE: 192}, ICELAKE),
        ({HASWELL: 64, ICELAKE: 0}, HASWELL),
        ({HASWELL: 64, AMX: 1000}, HASWELL),
        ({HASWELL: 0}, None),
        ({}, None),
    ],
)
def test_the_best_build_that_runs_here_is_chosen_but_never_that_with_amx(
    scores: dict[Path, int], chosen: Path | None
) -> None:
    assert best(scores, scores.__getitem__) == chosen


def test_a_wheel_with_kernels_of_its_own_is_left_alone() -> None:
    before = library.ggml_backend_dev_count()
    load_kernels(library, Path(llama_cpp.__file__).parent)
    assert library.ggml_backend_dev_count() == before > 0


def test_a_build_that_cannot_be_loaded_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / HASWELL
    file.write_bytes(b"no library")
    with pytest.raises(OSError, match="haswell"):
        score(file)
