"""Ollama's sampling options as a llama.cpp sampler chain, or a plain arg-max where that is all they ask for."""

import ctypes
import secrets
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from typing import Any, Final

import llama_cpp as lib
import numpy as np
import numpy.typing as npt

from services.worker.engine.backend import Constraint, Sampler
from shared.options import Options

_CANDIDATE: Final = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama_token_data. Source: llama.h."""


def logits_of(ctx: Any, row: int, n_vocab: int) -> npt.NDArray[np.float32]:
    """llama.cpp's own memory, valid until the next decode; not to be written to."""
    return np.ctypeslib.as_array(lib.llama_get_logits_ith(ctx, row), shape=(n_vocab,))


class GreedySampler:
    """The likeliest token. numpy's arg-max over the logits costs a twentieth of building llama.cpp's candidates."""

    def __init__(self, ctx: Any, n_vocab: int) -> None:
        self._ctx = ctx
        self._n_vocab = n_vocab

    def sample(self, row: int) -> int:
        return int(np.argmax(logits_of(self._ctx, row, self._n_vocab)))

    def close(self) -> None:
        """Nothing is held."""


class ChainSampler:
    """A llama.cpp sampler chain; owns it until `close`."""

    def __init__(self, ctx: Any, chain: Any) -> None:
        self._ctx = ctx
        self._chain = chain

    def sample(self, row: int) -> int:
        return int(lib.llama_sampler_sample(self._chain, self._ctx, row))

    def close(self) -> None:
        lib.llama_sampler_free(self._chain)


class SteeredSampler:
    """Draws among the tokens a constraint allows, with biased logits. Owns `chain`; None takes the likeliest."""

    def __init__(
        self,
        ctx: Any,
        chain: Any,
        n_vocab: int,
        *,
        logit_bias: Mapping[int, float],
        constraint: Constraint | None,
    ) -> None:
        self._ctx = ctx
        self._chain = chain
        self._every_token = np.arange(n_vocab)
        self._biased = np.fromiter(logit_bias.keys(), dtype=np.intp)
        self._bias = np.fromiter(logit_bias.values(), dtype=np.float32)
        self._constraint = constraint

    def sample(self, row: int) -> int:
        logits = logits_of(self._ctx, row, len(self._every_token))
        if self._biased.size:
            logits = logits.copy()
            logits[self._biased] += self._bias
        if self._constraint is None:
            return self._drawn(self._every_token, logits)
        tokens = self._constraint.allowed()
        token = self._drawn(tokens, logits[tokens])
        self._constraint.take(token)
        return token

    def _drawn(self, tokens: npt.NDArray[np.intp], logits: npt.NDArray[np.float32]) -> int:
        if self._chain is None:
            return int(tokens[np.argmax(logits)])
        candidates = np.zeros(len(tokens), dtype=_CANDIDATE)
        candidates["id"] = tokens
        candidates["logit"] = logits
        array = lib.llama_token_data_array(
            data=candidates.ctypes.data_as(ctypes.POINTER(lib.llama_token_data)),
            size=len(tokens),
            selected=-1,
            sorted=False,
        )
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        lib.llama_sampler_accept(self._chain, token)
        return token

    def close(self) -> None:
        if self._chain is not None:
            lib.llama_sampler_free(self._chain)


def has_penalties(options: Options) -> bool:
    return options.repeat_last_n != 0 and (
        options.repeat_penalty != 1.0 or options.presence_penalty != 0.0 or options.frequency_penalty != 0.0
    )


def new_sampler(
    ctx: Any,
    options: Options,
    history: Seq[int],
    *,
    n_vocab: int,
    n_ctx: int,
    logit_bias: Mapping[int, float],
    constraint: Constraint | None,
) -> Sampler:
    """A sampler for one sequence. Penalties see the end of `history`, as llama-server's do."""
    greedy = options.temperature <= 0 and not has_penalties(options)
    chain = None if greedy else _new_chain(options, history, n_vocab=n_vocab, n_ctx=n_ctx)
    if logit_bias or constraint is not None:
        return SteeredSampler(ctx, chain, n_vocab, logit_bias=logit_bias, constraint=constraint)
    return GreedySampler(ctx, n_vocab) if greedy else ChainSampler(ctx, chain)


def _new_chain(options: Options, history: Seq[int], *, n_vocab: int, n_ctx: int) -> Any:
    """The order is llama.cpp's own: penalties, top-k, typical, top-p, min-p, temperature, draw.

    Source: llama.cpp `common/sampling.cpp`.
    """
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    if has_penalties(options):
        # llama.cpp allocates the whole window, so a client's number must not exceed what there can be.
        last_n = n_ctx if options.repeat_last_n < 0 else min(options.repeat_last_n, n_ctx)
        lib.llama_sampler_chain_add(
            chain,
            lib.llama_sampler_init_penalties(
                n_vocab, last_n, options.repeat_penalty, options.frequency_penalty, options.presence_penalty
            ),
        )
    if options.temperature <= 0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
    else:
        _add_draw(chain, options)
    if has_penalties(options):
        for token in history[-last_n:]:
            lib.llama_sampler_accept(chain, token)
    return chain


def _add_draw(chain: Any, options: Options) -> None:
    keep_at_least = ctypes.c_size_t(1)
    if options.top_k > 0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_k(options.top_k))
    if options.typical_p < 1.0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_typical(options.typical_p, keep_at_least))
    if options.top_p < 1.0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_top_p(options.top_p, keep_at_least))
    if options.min_p > 0.0:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_min_p(options.min_p, keep_at_least))
    lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_temp(options.temperature))
    seed = secrets.randbits(32) if options.seed < 0 else options.seed & 0xFFFFFFFF
    lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_dist(seed))
