"""Whom to evict for a new model: pure."""

from collections.abc import Iterable

import msgspec

from shared.digest import Digest
from shared.errors import MemoryExceeded, WorkerBusy


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A resident model as the policy sees it. `pinned` ones (negative keep-alive) go last."""

    weights: Digest
    size_bytes: int
    in_use: bool
    pinned: bool
    last_used_s: float


def victims(held: Iterable[Held], *, wanted_bytes: int, memory_bytes_max: int, models_max: int) -> list[Digest]:
    """The idle models to unload, least recently used first, so that one of `wanted_bytes` fits.

    Raises: MemoryExceeded (it never fits), WorkerBusy (only at the cost of a model in use; nothing to do now).
    """
    if wanted_bytes > memory_bytes_max:
        raise MemoryExceeded(
            f"model requires more system memory ({_gib(wanted_bytes)}) than is available ({_gib(memory_bytes_max)})"
        )
    held = list(held)
    used_bytes = sum(model.size_bytes for model in held)
    count = len(held)
    chosen: list[Digest] = []
    idle = sorted((model for model in held if not model.in_use), key=lambda m: (m.pinned, m.last_used_s))
    for model in idle:
        if used_bytes + wanted_bytes <= memory_bytes_max and count < models_max:
            break
        chosen.append(model.weights)
        used_bytes -= model.size_bytes
        count -= 1
    if used_bytes + wanted_bytes > memory_bytes_max or count >= models_max:
        raise WorkerBusy("every model that would have to make room is in use")
    return chosen


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
