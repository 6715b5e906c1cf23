"""The GPUs that llama.cpp can use. `python -m services.worker.llama.devices` prints them as JSON.

Asking opens every GPU's driver and takes some of its memory until the process ends; so the worker asks in a process of
its own, and a runner asks for itself.
"""

import ctypes
import sys
from typing import Any, Final

import msgspec
from llama_cpp.llama_cpp import _lib as library

from shared.cluster_state import Device

_KINDS: Final = {1: "gpu", 2: "igpu"}
"""Source: ggml-backend.h, enum ggml_backend_dev_type; the others are the CPU and what helps it."""


def _function(name: str, result: Any, *arguments: Any) -> Any:
    """A function of ggml as libllama uses it: `llama_cpp._ggml` may be a second copy, which knows other devices."""
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


_count = _function("ggml_backend_dev_count", ctypes.c_size_t)
_get = _function("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
_type = _function("ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)
_description = _function("ggml_backend_dev_description", ctypes.c_char_p, ctypes.c_void_p)
_memory = _function(
    "ggml_backend_dev_memory",
    None,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_size_t),
    ctypes.POINTER(ctypes.c_size_t),
)


def devices() -> tuple[Device, ...]:
    """What a model's layers can be put on, as llama.cpp chooses: integrated GPUs only where there are no others."""
    found = [_device(pointer) for pointer in map(_get, range(_count())) if _type(pointer) in _KINDS]
    discrete = tuple(device for device in found if device.kind == "gpu")
    return discrete or tuple(found)


def _device(pointer: int) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _memory(pointer, ctypes.byref(free), ctypes.byref(total))
    return Device(
        name=_description(pointer).decode(errors="replace"),
        kind=_KINDS[_type(pointer)],
        memory_bytes_total=total.value,
        memory_bytes_free=free.value,
    )


def main() -> None:
    sys.stdout.write(msgspec.json.encode(devices()).decode() + "\n")


if __name__ == "__main__":
    main()
