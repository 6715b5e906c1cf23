"""Fills llama.cpp's batch structure from runs, through numpy views of memory allocated once."""

import ctypes
from collections.abc import Sequence as Seq
from typing import Any

import llama_cpp as lib
import numpy as np

from services.worker.engine.backend import Run


class Batch:
    """Room for `n_tokens_max` tokens of sequences 0..n_seq_max-1."""

    def __init__(self, *, n_tokens_max: int, n_seq_max: int) -> None:
        self._tokens = np.zeros(n_tokens_max, dtype=np.int32)
        self._positions = np.zeros(n_tokens_max, dtype=np.int32)
        self._n_seq_id = np.ones(n_tokens_max, dtype=np.int32)
        self._logits = np.zeros(n_tokens_max, dtype=np.int8)
        # Each token points at the cell that holds its sequence's id; the cells never change.
        self._cells = np.arange(n_seq_max, dtype=np.int32)
        self._cell_size_bytes = self._cells.itemsize
        self._seq_id_pointers = np.zeros(n_tokens_max, dtype=np.uint64)
        struct: Any = lib.llama_batch()
        struct.token = self._tokens.ctypes.data_as(ctypes.POINTER(lib.llama_token))
        struct.pos = self._positions.ctypes.data_as(ctypes.POINTER(lib.llama_pos))
        struct.n_seq_id = self._n_seq_id.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        struct.seq_id = self._seq_id_pointers.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(lib.llama_seq_id)))
        struct.logits = self._logits.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))
        self._struct = struct

    def fill(self, runs: Seq[Run], *, outputs_all: bool = False) -> Any:
        """The llama_batch holding exactly `runs`; valid until the next call. With `outputs_all` every token counts."""
        start = 0
        base = self._cells.ctypes.data
        for run in runs:
            end = start + len(run.tokens)
            self._tokens[start:end] = run.tokens
            self._positions[start:end] = np.arange(run.position, run.position + len(run.tokens), dtype=np.int32)
            self._seq_id_pointers[start:end] = base + run.slot * self._cell_size_bytes
            self._logits[start:end] = 0
            self._logits[end - 1] = run.wants_logits
            start = end
        if outputs_all:
            self._logits[:start] = 1
        self._struct.n_tokens = start
        return self._struct
