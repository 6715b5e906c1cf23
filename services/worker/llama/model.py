"""Opens a GGUF with llama.cpp and serves it to the engine as a `Backend`."""

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from concurrent.futures import Future
from functools import lru_cache
from typing import Any

import llama_cpp as lib

from services.worker.engine.backend import NO_BIAS, Constraint, Run, Sampler
from services.worker.llama import bindings
from services.worker.llama.batch import Batch
from services.worker.llama.constraint import Constraints
from services.worker.llama.logprobs import token_logprob
from services.worker.llama.params import LlamaParams
from services.worker.llama.sampler import logits_of, new_sampler
from services.worker.llama.weights import flash_attention_type, open_weights
from shared.errors import ModelLoadFailed
from shared.generation import TokenLogprob
from shared.options import Options


class LlamaVocabulary:
    """Tokens of one model; pieces are cached, because the same few thousand come again and again."""

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab
        self.tokens_count = int(lib.llama_vocab_n_tokens(vocab))
        self._bos = lib.llama_vocab_bos(vocab)
        self._adds_bos = bool(lib.llama_vocab_get_add_bos(vocab))
        self.bos_text = bindings.token_text(vocab, self._bos)
        self.eos_text = bindings.token_text(vocab, lib.llama_vocab_eos(vocab))
        self.piece = lru_cache(maxsize=65_536)(self._piece)

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        tokens = bindings.tokenize(self._vocab, text.encode(), add_special=add_special)
        # Chat templates often write the BOS token that the tokenizer adds as well.
        if add_special and self._adds_bos and tokens[:2] == [self._bos, self._bos]:
            return tokens[1:]
        return tokens

    def _piece(self, token: int) -> bytes:
        return bindings.piece(self._vocab, token)

    def ends_generation(self, token: int) -> bool:
        return bool(lib.llama_vocab_is_eog(self._vocab, token))


class LlamaBackend:
    """One model and its context. Not thread-safe: it belongs to the engine's thread.

    Raises (on opening): ModelLoadFailed with what llama.cpp had to say.
    """

    def __init__(self, params: LlamaParams) -> None:
        bindings.start()
        self._params = params
        self._n_threads = params.n_threads
        self._model, self._adapters = open_weights(params)
        vocab = lib.llama_model_get_vocab(self._model)
        self.vocabulary = LlamaVocabulary(vocab)
        self._constraints = Constraints(vocab)
        self.slots_count = params.n_seq_max
        self.n_ctx_train = int(lib.llama_model_n_ctx_train(self._model))
        self.chat_template = bindings.metadata(self._model, "tokenizer.chat_template")
        self.context_tokens = 0
        self._ctx: Any = None
        self._open_context(min(params.n_ctx_seq, self.n_ctx_train))
        self._batch = Batch(n_tokens_max=params.n_batch, n_seq_max=params.n_seq_max)

    def _open_context(self, n_ctx_seq: int) -> None:
        params = lib.llama_context_default_params()
        params.n_ctx = n_ctx_seq * self._params.n_seq_max
        params.n_batch = self._params.n_batch
        params.n_ubatch = self._params.n_batch
        params.n_seq_max = self._params.n_seq_max
        # Only last tokens give logits: one row a slot, instead of memory for a whole batch of rows.
        params.n_outputs_max = self._params.n_seq_max
        params.n_threads = params.n_threads_batch = self._n_threads
        params.flash_attn_type = flash_attention_type(self._params)
        params.kv_unified = self._params.kv_unified
        params.no_perf = True
        self._ctx = lib.llama_init_from_model(self._model, params)
        if not self._ctx:
            raise ModelLoadFailed(f"llama.cpp could not create the context: {bindings.recent_errors()}")
        bindings.apply_adapters(self._ctx, self._adapters)
        self._memory = lib.llama_get_memory(self._ctx)
        self.context_tokens = n_ctx_seq

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

    def set_threads(self, n_threads: int) -> None:
        if n_threads != self._n_threads:
            lib.llama_set_n_threads(self._ctx, n_threads, n_threads)
            self._n_threads = n_threads

    def grow(self, context_tokens: int) -> None:
        lib.llama_free(self._ctx)
        self._open_context(min(context_tokens, self.n_ctx_train))

    def close(self) -> None:
        self._constraints.close()
        lib.llama_free(self._ctx)
        lib.llama_model_free(self._model)
