"""Ollama's sampling options as a llama.cpp sampler chain, or a plain arg-max where that is all they ask for."""

import ctypes
import secrets
from collections.abc import Sequence as Seq
from typing import Any

import llama_cpp as lib
import numpy as np

from shared.options import Options


class GreedySampler:
    """The likeliest token. numpy's arg-max over the logits costs a twentieth of building llama.cpp's candidates."""

    def __init__(self, ctx: Any, n_vocab: int) -> None:
        self._ctx = ctx
        self._n_vocab = n_vocab

    def sample(self, row: int) -> int:
        pointer = lib.llama_get_logits_ith(self._ctx, row)
        return int(np.argmax(np.ctypeslib.as_array(pointer, shape=(self._n_vocab,))))

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


def has_penalties(options: Options) -> bool:
    return options.repeat_last_n != 0 and (
        options.repeat_penalty != 1.0 or options.presence_penalty != 0.0 or options.frequency_penalty != 0.0
    )


def new_sampler(
    ctx: Any, options: Options, history: Seq[int], *, n_vocab: int, n_ctx: int
) -> GreedySampler | ChainSampler:
    """A sampler for one sequence. Penalties see the end of `history`, as llama-server's do.

    The order is llama.cpp's own: penalties, top-k, typical, top-p, min-p, temperature, draw.
    Source: llama.cpp `common/sampling.cpp`.
    """
    greedy = options.temperature <= 0
    if greedy and not has_penalties(options):
        return GreedySampler(ctx, n_vocab)
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
    if greedy:
        lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
    else:
        _add_draw(chain, options)
    if has_penalties(options):
        for token in history[-last_n:]:
            lib.llama_sampler_accept(chain, token)
    return ChainSampler(ctx, chain)


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
