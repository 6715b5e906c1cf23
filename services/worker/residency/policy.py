"""Whom to evict for a new model: pure."""

from collections.abc import Iterable

import msgspec

from services.worker.residency.sizes import Footprint
from shared.digest import Digest
from shared.errors import MemoryExceeded, WorkerBusy


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A resident model as the policy sees it. `pinned` ones (negative keep-alive) go last."""

    weights: Digest
    takes: Footprint
    in_use: bool
    pinned: bool
    last_used_s: float


def victims(held: Iterable[Held], *, wanted: Footprint, room: Footprint, models_max: int) -> list[Digest]:
    """The idle models to unload, least recently used first, so that one that takes `wanted` fits into `room`.

    One whose leaving frees nothing that is short stays.
    Raises: MemoryExceeded (it never fits), WorkerBusy (only at the cost of a model in use; nothing to do now).
    """
    _check_fits(wanted, room)
    held = list(held)
    free = room - sum((model.takes for model in held), start=Footprint())
    count = len(held)
    chosen: list[Digest] = []
    idle = sorted((model for model in held if not model.in_use), key=lambda m: (m.pinned, m.last_used_s))
    for model in idle:
        if wanted.fits_in(free) and count < models_max:
            break
        if count >= models_max or _relieves(model.takes, wanted - free):
            chosen.append(model.weights)
            free += model.takes
            count -= 1
    if not wanted.fits_in(free) or count >= models_max:
        raise WorkerBusy("every model that would have to make room is in use")
    return chosen


def _check_fits(wanted: Footprint, room: Footprint) -> None:
    """Raises: MemoryExceeded."""
    for kind, wanted_bytes, room_bytes in (
        ("system", wanted.host_bytes, room.host_bytes),
        ("GPU", wanted.device_bytes, room.device_bytes),
    ):
        if wanted_bytes > room_bytes:
            raise MemoryExceeded(
                f"model requires more {kind} memory ({_gib(wanted_bytes)}) than is available ({_gib(room_bytes)})"
            )


def _relieves(takes: Footprint, missing: Footprint) -> bool:
    """Whether it takes some of what is missing; nothing is missing where the number is not above zero."""
    return (missing.host_bytes > 0 < takes.host_bytes) or (missing.device_bytes > 0 < takes.device_bytes)


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
