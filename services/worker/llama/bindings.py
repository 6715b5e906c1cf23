"""llama.cpp's C calls as typed functions whose return codes became errors. No policy."""

import ctypes
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import llama_cpp as lib
from llama_cpp.llama_cpp import _lib as library

from services.worker.engine.backend import DecodeFailed, KvCacheFull
from shared.errors import ModelLoadFailed
from shared.llama_kernels import load_kernels

_LOG_LINES_KEPT: Final = 20
_recent_log: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
_LEVEL_WARN: Final = 3


def _remember(level: int, text: bytes, _user_data: Any) -> None:
    if level >= _LEVEL_WARN and (line := text.decode(errors="replace").strip()):
        _recent_log.append(line)


log_callback = lib.llama_log_callback(_remember)


def start() -> None:
    """Initialise llama.cpp once per process; its warnings are kept for error messages instead of printed."""
    lib.llama_log_set(log_callback, ctypes.c_void_p(0))
    load_kernels(library, Path(lib.__file__).parent)
    lib.llama_backend_init()


def recent_errors() -> str:
    """The latest warnings and errors llama.cpp logged, for a person to read."""
    return "; ".join(_recent_log)


def decode(ctx: Any, batch: Any) -> None:
    """Run the batch.

    Raises: KvCacheFull, DecodeFailed.
    Source: llama.h, return values of llama_decode.
    """
    code = lib.llama_decode(ctx, batch)
    if code == 0:
        return
    if code == 1:
        raise KvCacheFull("no room in KV memory for the batch")
    raise DecodeFailed(f"llama_decode returned {code}: {recent_errors()}")


def encode(ctx: Any, batch: Any) -> None:
    """Run the batch through a model without KV memory.

    Raises: DecodeFailed.
    Source: llama.h, return values of llama_encode.
    """
    code = lib.llama_encode(ctx, batch)
    if code != 0:
        raise DecodeFailed(f"llama_encode returned {code}: {recent_errors()}")


def apply_adapters(ctx: Any, adapters: Sequence[Any]) -> None:
    """Add LoRA adapters of the context's model, each at full strength, to all that is computed from now on.

    Raises: ModelLoadFailed.
    """
    if not adapters:
        return
    pointers = (lib.llama_adapter_lora_p_ctypes * len(adapters))(*adapters)
    strengths = (ctypes.c_float * len(adapters))(*([1.0] * len(adapters)))
    if lib.llama_set_adapters_lora(ctx, pointers, len(adapters), strengths) != 0:
        raise ModelLoadFailed(f"llama.cpp could not apply the adapters: {recent_errors()}")


def tokenize(vocab: Any, text: bytes, *, add_special: bool) -> list[int]:
    """Tokens of UTF-8 `text`; special tokens in the text are recognised."""
    capacity = len(text) + 8
    tokens = (lib.llama_token * capacity)()
    count = lib.llama_tokenize(vocab, text, len(text), tokens, capacity, add_special, True)
    if count < 0:
        tokens = (lib.llama_token * -count)()
        count = lib.llama_tokenize(vocab, text, len(text), tokens, -count, add_special, True)
    return list(tokens[:count])


def piece(vocab: Any, token: int) -> bytes:
    """The token's bytes; control tokens have none."""
    size = 64
    buffer = ctypes.create_string_buffer(size)
    length = lib.llama_token_to_piece(vocab, token, buffer, size, 0, False)
    if length < 0:
        size = -length
        buffer = ctypes.create_string_buffer(size)
        length = lib.llama_token_to_piece(vocab, token, buffer, size, 0, False)
    return buffer.raw[:length]


def metadata(model: Any, key: str) -> str | None:
    """A GGUF metadata value as text; None when the key is absent."""
    size = lib.llama_model_meta_val_str(model, key.encode(), None, 0)
    if size < 0:
        return None
    buffer = ctypes.create_string_buffer(size + 1)
    lib.llama_model_meta_val_str(model, key.encode(), buffer, size + 1)
    return buffer.value.decode(errors="replace")


def token_text(vocab: Any, token: int) -> str:
    """A special token as templates write it; empty for a token the model does not have."""
    if token < 0:
        return ""
    text = lib.llama_vocab_get_text(vocab, token)
    return text.decode(errors="replace") if text else ""
