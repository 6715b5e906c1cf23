"""Quantization by llama.cpp. Runs in a child process, because a broken file can make llama.cpp abort.

The registry's only importer of `llama_cpp`.
"""

import ctypes
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import llama_cpp as lib
from llama_cpp.llama_cpp import _lib as library

from services.registry.conversion.messages import Quantize
from services.registry.gguf import read_header
from shared.errors import InternalError, ModelFileInvalid
from shared.llama_kernels import load_kernels

BUFFER_BYTES_MAX: Final = 512 << 20
"""How much of a tensor llama.cpp may hold at once; its own default would be 8 GiB."""

_TENSOR: Final = re.compile(rb"\[ *(\d+)/ *(\d+)\]")
_LEVEL_ERROR: Final = 4
_FAILED: Final = "failed to quantize: "


class _Log:
    """llama.cpp's log: a line for every tensor becomes progress, the latest error is the reason when it fails."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self.error = ""

    def __call__(self, level: int, text: bytes, _user_data: Any) -> None:
        if level == _LEVEL_ERROR:
            self.error = text.decode(errors="replace").strip()
        elif found := _TENSOR.match(text):
            begun, total = map(int, found.groups())
            self._tell((begun - 1) / max(total, 1))


def quantize(work: Quantize, tell: Callable[[float], None]) -> None:
    """Raises: ModelFileInvalid with what llama.cpp had to say, InternalError when the output cannot be written."""
    with Path(work.source).open("rb") as file:
        read_header(file, os.fstat(file.fileno()).st_size)
    log = _Log(tell)
    callback = lib.llama_log_callback(log)
    lib.llama_log_set(callback, ctypes.c_void_p(0))
    load_kernels(library, Path(lib.__file__).parent)
    lib.llama_backend_init()
    params = lib.llama_model_quantize_default_params()
    params.ftype = work.file_type
    params.nthread = work.n_threads
    params.max_buf_size = BUFFER_BYTES_MAX
    if lib.llama_model_quantize(work.source.encode(), work.output.encode(), ctypes.byref(params)):
        reason = log.error.rpartition(_FAILED)[2]
        # C++ says nothing more when a write fails.
        raise InternalError(f"cannot write: {reason}") if "iostream" in reason else ModelFileInvalid(reason)
    tell(1.0)
