"""Opens a GGUF with llama.cpp to embed with it, and serves it to the engine as an `EmbeddingBackend`."""

from collections.abc import Sequence as Seq
from typing import Any

import llama_cpp as lib
import numpy as np

from services.worker.engine.backend import Run
from services.worker.llama import bindings
from services.worker.llama.batch import Batch
from services.worker.llama.model import LlamaVocabulary
from services.worker.llama.params import LlamaParams
from services.worker.llama.weights import flash_attention_type, open_weights
from shared.errors import ModelLoadFailed


class LlamaEmbeddingBackend:
    """One model and a context that pools. Not thread-safe: it belongs to the engine's thread.

    Attention that looks both ways needs a whole sequence in one micro-batch, so n_ubatch equals n_batch. Models with
    KV memory share one pool of it, emptied before every pass.
    Raises (on opening): ModelLoadFailed with what llama.cpp had to say, or when the model gives no embeddings.
    """

    def __init__(self, params: LlamaParams) -> None:
        bindings.start()
        self._params = params
        self._n_threads = params.n_threads
        self._model, self._adapters = open_weights(params)
        self.vocabulary = LlamaVocabulary(lib.llama_model_get_vocab(self._model))
        self.sequences_max = params.n_seq_max
        self.n_ctx_train = int(lib.llama_model_n_ctx_train(self._model))
        self._n_embd = int(lib.llama_model_n_embd_out(self._model))
        self._ctx: Any = None
        self._open_context(min(params.n_ctx_seq, self.n_ctx_train))
        self._check_pooling()

    def _open_context(self, context_tokens: int) -> None:
        self.context_tokens = context_tokens
        self.batch_tokens_max = max(context_tokens, self._params.n_batch)
        params = lib.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = self.batch_tokens_max
        params.n_seq_max = self._params.n_seq_max
        params.n_threads = params.n_threads_batch = self._n_threads
        params.flash_attn_type = flash_attention_type(self._params)
        params.embeddings = True
        params.kv_unified = True
        params.no_perf = True
        self._ctx = lib.llama_init_from_model(self._model, params)
        if not self._ctx:
            raise ModelLoadFailed(f"llama.cpp could not create the context: {bindings.recent_errors()}")
        bindings.apply_adapters(self._ctx, self._adapters)
        self._memory = lib.llama_get_memory(self._ctx)
        self._batch = Batch(n_tokens_max=self.batch_tokens_max, n_seq_max=self._params.n_seq_max)

    def _check_pooling(self) -> None:
        pooling = lib.llama_pooling_type(self._ctx)
        if pooling in (lib.LLAMA_POOLING_TYPE_NONE, lib.LLAMA_POOLING_TYPE_RANK):
            self.close()
            raise ModelLoadFailed("the model gives no vector for a whole text: its file names no pooling to one")

    def embed(self, sequences: Seq[Seq[int]]) -> list[bytes]:
        runs = [Run(index, 0, tokens, True) for index, tokens in enumerate(sequences)]
        batch = self._batch.fill(runs, outputs_all=True)
        if self._memory:
            lib.llama_memory_clear(self._memory, False)
            bindings.decode(self._ctx, batch)
        else:
            bindings.encode(self._ctx, batch)
        return [self._vector(index) for index in range(len(sequences))]

    def _vector(self, seq_id: int) -> bytes:
        pointer = lib.llama_get_embeddings_seq(self._ctx, seq_id)
        return np.ctypeslib.as_array(pointer, (self._n_embd,)).astype("<f4").tobytes()

    def set_threads(self, n_threads: int) -> None:
        if n_threads != self._n_threads:
            lib.llama_set_n_threads(self._ctx, n_threads, n_threads)
            self._n_threads = n_threads

    def grow(self, context_tokens: int) -> None:
        lib.llama_free(self._ctx)
        self._open_context(min(context_tokens, self.n_ctx_train))

    def close(self) -> None:
        lib.llama_free(self._ctx)
        lib.llama_model_free(self._model)
