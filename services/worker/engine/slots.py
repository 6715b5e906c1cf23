"""The slot table: which tokens each slot's KV memory holds, who uses it, and which slot a new sequence should take."""

from collections.abc import Iterable
from collections.abc import Sequence as Seq
from typing import Final

import msgspec

from services.worker.engine.media import startable
from services.worker.engine.sequence import Sequence

COPY_TOKENS_MIN: Final = 32
"""Copying a slot costs a fixed time (it copies the whole partition); below this many tokens computing is as fast."""


class Slot:
    """One place. `tokens` are in KV memory; the first `undecoded_tokens` of them were computed as a prompt."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.tokens: list[int] = []
        self.undecoded_tokens = 0
        self.tenant = ""
        self.shared_tokens = 0
        self.sequence: Sequence | None = None
        self.used_order = 0

    @property
    def free(self) -> bool:
        return self.sequence is None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A slot as `choose` sees it. `reusable_tokens` is how much of the new prompt it may serve."""

    index: int
    free: bool
    held_tokens: int
    reusable_tokens: int
    used_order: int


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Take `slot`; first fill it from `source` if that is another one; keep the first `reused_tokens` tokens."""

    slot: int
    source: int
    reused_tokens: int


def reusable_tokens(slot: Slot, sequence: Sequence, matched_tokens: int) -> int:
    """How much of the matching beginning this sequence may use.

    Another tenant's slot serves only what is shared by construction, a reproducible sequence only tokens that were
    never decoded. What is left is computed as it would be without reuse (`startable`).
    """
    usable = matched_tokens
    if slot.tenant != sequence.tenant:
        usable = min(usable, slot.shared_tokens, sequence.shared_tokens)
    if sequence.options.reproducible:
        usable = min(usable, slot.undecoded_tokens)
    return startable(usable, prompt_tokens=len(sequence.prompt), media=sequence.media)


def choose(candidates: Seq[Candidate]) -> Choice | None:
    """The slot for a new sequence, or None when none is free.

    The longest usable beginning wins. Its own slot is taken when it is free and holds little else; otherwise its
    contents are copied into the free slot that costs least to lose.
    """
    free = [candidate for candidate in candidates if candidate.free]
    if not free:
        return None
    best = max(candidates, key=lambda c: (c.reusable_tokens, c.free, -c.held_tokens, -c.index))
    others = [candidate for candidate in free if candidate.index != best.index]
    in_place = best.free and (not others or 2 * best.reusable_tokens >= best.held_tokens)
    if best.reusable_tokens and in_place:
        return Choice(slot=best.index, source=best.index, reused_tokens=best.reusable_tokens)
    if best.reusable_tokens >= COPY_TOKENS_MIN:
        target = _cheapest(others, _busy(candidates))
        return Choice(slot=target.index, source=best.index, reused_tokens=best.reusable_tokens)
    target = _cheapest(free, _busy(candidates))
    return Choice(slot=target.index, source=target.index, reused_tokens=target.reusable_tokens)


def _busy(candidates: Iterable[Candidate]) -> frozenset[int]:
    return frozenset(candidate.index for candidate in candidates if not candidate.free)


def _cheapest(free: Iterable[Candidate], busy: frozenset[int]) -> Candidate:
    """Empty slots first, then neighbours of busy ones (computed together in a step), then the longest unused."""
    return min(
        free,
        key=lambda c: (
            c.held_tokens > 0,
            bool(busy) and not ({c.index - 1, c.index + 1} & busy),
            c.used_order,
            c.index,
        ),
    )
