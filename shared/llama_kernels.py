"""Chooses llama.cpp's kernels for this processor, where its wheel has several builds of them.

A wheel compiled with GGML_BACKEND_DL and GGML_CPU_ALL_VARIANTS, as in the images, computes nothing until one was
loaded. Others have theirs built in. docs/adr/0006 has the measurements.
"""

import ctypes
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

AMX: Final = "sapphirerapids"
"""Left out: virtual machines that show AMX without granting it kill the process at the first instruction."""


def load_kernels(library: ctypes.CDLL, package: Path) -> None:
    """Give llama.cpp, loaded as `library` from `package`, the best kernels that came with it, once per process.

    Source: ggml-backend.h, ggml-backend-impl.h (ggml_backend_score).
    """
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    if library.ggml_backend_dev_count() > 0:
        return
    chosen = best((package.parent / "bin").glob("libggml-cpu-*.so"), score)
    if chosen is not None:
        library.ggml_backend_load.argtypes = (ctypes.c_char_p,)
        library.ggml_backend_load.restype = ctypes.c_void_p
        library.ggml_backend_load(str(chosen).encode())


def best(builds: Iterable[Path], score_of: Callable[[Path], int]) -> Path | None:
    """The build with the highest score above zero, if there is one."""
    scores = {build: score_of(build) for build in builds if AMX not in build.name}
    fit = [build for build, score in scores.items() if score > 0]
    return max(sorted(fit), key=scores.__getitem__, default=None)


def score(build: Path) -> int:
    """What a build thinks of this processor: zero when it would not run here."""
    return int(ctypes.CDLL(str(build)).ggml_backend_score())
