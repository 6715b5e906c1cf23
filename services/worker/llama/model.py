"""Opens a GGUF with llama.cpp and serves it to the engine as a `Backend`."""

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from concurrent.futures import Future
from typing import Any

import llama_cpp as lib

from services.worker.engine.backend import NO_BIAS, Constraint, Run, Sampler
from services.worker.llama import bindings
from services.worker.llama.batch import Batch
from services.worker.llama.constraint import Constraints
from services.worker.llama.logprobs import token_logprob
from services.worker.llama.opened import OpenedModel
from services.worker.llama.params import LlamaParams
from services.worker.llama.sampler import logits_of, new_sampler
from shared.generation import TokenLogprob
from shared.options import Options


class LlamaBackend(OpenedModel):
    """One model and its context. Not thread-safe: it belongs to the engine's thread.

    Raises (on opening): ModelLoadFailed with what llama.cpp had to say.
    """

    def __init__(self, params: LlamaParams) -> None:
        super().__init__(params)
        self._constraints = Constraints(lib.llama_model_get_vocab(self._model))
        self.slots_count = params.n_seq_max
        self.chat_template = bindings.metadata(self._model, "tokenizer.chat_template")
        self._batch = Batch(n_tokens_max=params.n_batch, n_seq_max=params.n_seq_max)

    def _shape(self, context: Any, context_tokens: int) -> None:
        context.n_ctx = context_tokens * self._params.n_seq_max
        context.n_batch = self._params.n_batch
        context.n_ubatch = self._params.n_batch
        # Only last tokens give logits: one row a slot, instead of memory for a whole batch of rows.
        context.n_outputs_max = self._params.n_seq_max
        context.kv_unified = self._params.kv_unified

    def decode(self, runs: Seq[Run]) -> None:
        bindings.decode(self._ctx, self._batch.fill(runs))

    def constraint(self, json_schema: str) -> "Future[Constraint]":
        return self._constraints.compile(json_schema)

    def sampler(
        self,
        options: Options,
        history: Seq[int],
        *,
        logit_bias: Mapping[int, float] = NO_BIAS,
        constraint: Constraint | None = None,
    ) -> Sampler:
        return new_sampler(
            self._ctx,
            options,
            history,
            n_vocab=self.vocabulary.tokens_count,
            n_ctx=self.context_tokens,
            logit_bias=logit_bias,
            constraint=constraint,
        )

    def logprob(self, row: int, token: int, *, top_count: int) -> TokenLogprob:
        logits = logits_of(self._ctx, row, self.vocabulary.tokens_count)
        return token_logprob(logits, token, top_count=top_count, piece=self.vocabulary.piece)

    def copy(self, source: int, target: int) -> None:
        lib.llama_memory_seq_rm(self._memory, target, -1, -1)
        lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def truncate(self, slot: int, tokens_count: int) -> bool:
        return bool(lib.llama_memory_seq_rm(self._memory, slot, tokens_count, -1))

    def close(self) -> None:
        self._constraints.close()
        super().close()
