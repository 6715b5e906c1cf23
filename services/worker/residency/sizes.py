"""How many bytes a model takes, from its GGUF's figures; and how many this machine has."""

import math
from pathlib import Path
from typing import Final

from shared.model_index import ModelEntry

COMPUTE_BYTES: Final = 192 << 20
"""A runner's own memory and llama.cpp's compute buffers at the default batch size."""

PROJECTOR_BYTES: Final = 384 << 20
"""What a projector takes beside its weights: compute buffers, embeddings that are kept, pictures being decoded."""

HEAD_LENGTH: Final = 64
"""The usual size of an attention head; the index does not know how many a model has."""

MEMORY_SHARE: Final = 0.8
"""Of the machine's memory, what models may take when nothing else is configured."""


def model_bytes(entry: ModelEntry, *, context_tokens: int, slots_count: int) -> int:
    """Weights, adapters and projector, keys and values of every slot's whole context, and compute buffers.

    A model that embeds has one context for all, and computes attention between all its tokens at once.
    """
    if entry.embeds:
        own_bytes = (entry.kv_bytes_per_token + _attention_bytes(entry) * context_tokens) * context_tokens
    else:
        own_bytes = entry.kv_bytes_per_token * context_tokens * slots_count
    return _fixed_bytes(entry) + own_bytes


def context_tokens_fitting(entry: ModelEntry, *, slots_count: int, memory_bytes: int) -> int:
    """The largest context a slot can have within `memory_bytes`, no more than the model was trained for."""
    room = memory_bytes - _fixed_bytes(entry)
    if entry.embeds:
        return max(0, min(entry.context_length, _root(_attention_bytes(entry), entry.kv_bytes_per_token, room)))
    if entry.kv_bytes_per_token == 0:
        return entry.context_length
    return max(0, min(entry.context_length, room // (entry.kv_bytes_per_token * slots_count)))


def _fixed_bytes(entry: ModelEntry) -> int:
    """What it takes whatever the context."""
    return entry.weights_bytes + COMPUTE_BYTES + (0 if entry.projector is None else PROJECTOR_BYTES)


def _attention_bytes(entry: ModelEntry) -> int:
    """What one token's look at another takes: a 32-bit score in every head."""
    return 4 * max(1, entry.embedding_length // HEAD_LENGTH)


def _root(square: int, linear: int, total: int) -> int:
    """The largest whole x with square·x² + linear·x no more than `total`, which is 0 or less when there is none."""
    return (math.isqrt(max(0, linear**2 + 4 * square * total)) - linear) // (2 * square)


def memory_bytes_available() -> int:
    """This machine's memory, or the container's where that is less.

    Source: proc(5) meminfo, cgroup v2 memory.max.
    """
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) * 1024
            break
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text(encoding="ascii").strip()).isdigit():
        total = min(total, int(text))
    return total
