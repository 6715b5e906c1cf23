"""A GGUF opened with llama.cpp by the shortest way, to see what it makes of tokens. No batching, no policy."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llama_cpp as lib
import numpy as np
import numpy.typing as npt

from services.worker.llama import bindings

N_CTX = 256


class OpenFile:
    """One model with one context, in 32 bits wherever llama.cpp lets us choose."""

    def __init__(self, model: Any, ctx: Any) -> None:
        self._model = model
        self._ctx = ctx
        self._vocab = lib.llama_model_get_vocab(model)

    def tokenize(self, text: str, *, add_special: bool = True) -> list[int]:
        return bindings.tokenize(self._vocab, text.encode(), add_special=add_special)

    def piece(self, token: int) -> bytes:
        return bindings.piece(self._vocab, token)

    def metadata(self, key: str) -> str | None:
        return bindings.metadata(self._model, key)

    def logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Logits of every position."""
        self._run(tokens)
        rows = [lib.llama_get_logits_ith(self._ctx, row) for row in range(len(tokens))]
        size = lib.llama_vocab_n_tokens(self._vocab)
        return np.stack([np.ctypeslib.as_array(row, (size,)).copy() for row in rows])

    def embedding(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """The pooled embedding."""
        self._run(tokens)
        vector = lib.llama_get_embeddings_seq(self._ctx, 0)
        return np.ctypeslib.as_array(vector, (lib.llama_model_n_embd(self._model),)).copy()

    def apply(self, adapter: Path) -> None:
        """Change the model by a LoRA adapter from here on."""
        opened = lib.llama_adapter_lora_init(self._model, str(adapter).encode())
        assert opened, bindings.recent_errors()
        adapters = (lib.llama_adapter_lora_p_ctypes * 1)(opened)
        scales = (ctypes.c_float * 1)(1.0)
        assert lib.llama_set_adapters_lora(self._ctx, adapters, 1, scales) == 0

    def _run(self, tokens: Sequence[int]) -> None:
        memory = lib.llama_get_memory(self._ctx)
        if memory:
            lib.llama_memory_clear(memory, True)
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index], batch.pos[index], batch.logits[index] = token, index, True
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
        bindings.decode(self._ctx, batch)
        lib.llama_batch_free(batch)


@contextmanager
def opened(path: Path, *, embeddings: bool = False) -> Iterator[OpenFile]:
    """Open a GGUF; a file that llama.cpp refuses fails the test with llama.cpp's own words."""
    bindings.start()
    model_params = lib.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model = lib.llama_model_load_from_file(str(path).encode(), model_params)
    assert model, bindings.recent_errors()
    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = N_CTX
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = lib.GGML_TYPE_F32
    params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.embeddings = embeddings
    ctx = lib.llama_init_from_model(model, params)
    assert ctx, bindings.recent_errors()
    try:
        yield OpenFile(model, ctx)
    finally:
        lib.llama_free(ctx)
        lib.llama_model_free(model)
