"""Opens a GGUF with llama.cpp and serves it to the engine as a `Backend`."""

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from concurrent.futures import Future
from typing import Any

import llama_cpp as lib
import msgspec

from services.worker.engine.backend import NO_BIAS, Constraint, Run, Sampler
from services.worker.engine.media import Media, Part
from services.worker.llama import bindings
from services.worker.llama.batch import Batch
from services.worker.llama.constraint import Constraints
from services.worker.llama.logprobs import token_logprob
from services.worker.llama.opened import OpenedModel
from services.worker.llama.params import LlamaParams
from services.worker.llama.projector import Projector
from services.worker.llama.sampler import logits_of, new_sampler
from shared.errors import CapabilityMissing
from shared.generation import TokenLogprob
from shared.options import Options


class LlamaBackend(OpenedModel):
    """One model and its context. Not thread-safe: it belongs to the engine's thread.

    The engine counts tokens; llama.cpp's positions are the same number except behind images of M-RoPE models, which
    move them on by less than their tokens. `_media` knows of every slot where they begin and by how much less.
    Raises (on opening): ModelLoadFailed with what llama.cpp had to say.
    """

    def __init__(self, params: LlamaParams) -> None:
        super().__init__(params)
        self._constraints = Constraints(lib.llama_model_get_vocab(self._model))
        self._projector = Projector(params, self._model) if params.projector is not None else None
        self._media: dict[int, dict[int, int]] = {}
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
        if self._media:
            runs = [msgspec.structs.replace(run, position=self._position(run.slot, run.position)) for run in runs]
        bindings.decode(self._ctx, self._batch.fill(runs))

    def _position(self, slot: int, tokens_count: int) -> int:
        """llama.cpp's position behind the first tokens of a slot."""
        return tokens_count - sum(less for begin, less in self._media.get(slot, {}).items() if begin < tokens_count)

    def read_images(self, text: str, images: Seq[bytes], *, add_special: bool, owner: str) -> "Future[Seq[Part]]":
        if self._projector is None:
            raise CapabilityMissing("this model does not support image input")
        front = self.vocabulary.front if add_special else ()
        return self._projector.read(text, images, front=front, owner=owner)

    def decode_media(self, slot: int, position: int, media: Media) -> None:
        assert self._projector is not None
        n_past = self._position(slot, position)
        n_pos = self._projector.decode(self._ctx, media, n_past=n_past, seq_id=slot) - n_past
        self._media.setdefault(slot, {})[position] = len(media.tokens) - n_pos

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
        self._remember(target, self._media.get(source, {}))

    def truncate(self, slot: int, tokens_count: int) -> bool:
        if not lib.llama_memory_seq_rm(self._memory, slot, self._position(slot, tokens_count), -1):
            return False
        held = self._media.get(slot, {})
        self._remember(slot, {begin: less for begin, less in held.items() if begin < tokens_count})
        return True

    def _remember(self, slot: int, media: dict[int, int]) -> None:
        """Slots without media are not in the table, so that models without eyes pay nothing for them."""
        self._media.pop(slot, None)
        if media:
            self._media[slot] = dict(media)

    def shift(self, slot: int, kept: int, leaving: int) -> bool:
        end = kept + leaving
        if slot in self._media:
            return False  # half an image would be left, or positions that nothing accounts for
        if not lib.llama_memory_can_shift(self._memory) or not lib.llama_memory_seq_rm(self._memory, slot, kept, end):
            return False
        lib.llama_memory_seq_add(self._memory, slot, end, -1, -leaving)
        return True

    def grow(self, context_tokens: int) -> None:
        super().grow(context_tokens)
        self._media.clear()

    def close(self) -> None:
        self._constraints.close()
        if self._projector is not None:
            self._projector.close()
        super().close()
