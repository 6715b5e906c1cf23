"""Opens a GGUF with llama.cpp to embed with it, and serves it to the engine as an `EmbeddingBackend`."""

from collections.abc import Sequence as Seq
from typing import Any

import llama_cpp as lib
import numpy as np

from services.worker.engine.backend import Run
from services.worker.llama import bindings
from services.worker.llama.batch import Batch
from services.worker.llama.opened import OpenedModel
from services.worker.llama.params import LlamaParams
from shared.errors import ModelLoadFailed


class LlamaEmbeddingBackend(OpenedModel):
    """One model and a context that pools. Not thread-safe: it belongs to the engine's thread.

    Attention that looks both ways needs a whole sequence in one micro-batch, so n_ubatch equals n_batch. Models with
    KV memory share one pool of it, emptied before every pass.
    Raises (on opening): ModelLoadFailed with what llama.cpp had to say, or when the model gives no embeddings.
    """

    def __init__(self, params: LlamaParams) -> None:
        super().__init__(params)
        self.sequences_max = params.n_seq_max
        self._n_embd = int(lib.llama_model_n_embd_out(self._model))
        self._check_pooling()

    def _shape(self, context: Any, context_tokens: int) -> None:
        self.batch_tokens_max = max(context_tokens, self._params.n_batch)
        context.n_ctx = context.n_batch = context.n_ubatch = self.batch_tokens_max
        context.embeddings = True
        context.kv_unified = True
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
