"""Which tokens the next forward passes compute: a pure function over what each slot still needs."""

from collections.abc import Iterable
from typing import Final

import msgspec


class SlotView(msgspec.Struct, frozen=True):
    """A busy slot. `pending_tokens` are prompt tokens to be computed next; 0 means it decodes. Low `order` came first.

    With `whole` they are an image's, and are computed all at once in a pass of their own.
    """

    slot: int
    order: int
    pending_tokens: int
    whole: bool = False


PROMPT_TOKENS_MIN: Final = 2
"""A prompt token computed as the only one of its sequence differs, in the last bits, from the same token computed in
company (llama.cpp's CPU backend has other kernels for a single column), so the scheduler never leaves one alone."""

ROOM_MIN: Final = 3
"""The least room in which any prompt can be cut into parts of PROMPT_TOKENS_MIN and more."""


class Limits(msgspec.Struct, frozen=True):
    """`prefill_tokens_max` bounds the prompt tokens of a plan in which somebody decodes, so that streams flow on.

    With `prompts_apart` what a prompt token becomes never depends on who else is computed: every prompt has a forward
    pass of its own, because a pass over sequences with different token counts is cut up inside llama.cpp, and a
    prompt's parts are of PROMPT_TOKENS_MIN tokens at least. Otherwise one pass computes everything.
    """

    batch_tokens_max: int
    prefill_tokens_max: int
    prompts_apart: bool

    def __post_init__(self) -> None:
        assert min(self.batch_tokens_max, self.prefill_tokens_max) >= ROOM_MIN


class Share(msgspec.Struct, frozen=True):
    """`tokens_count` tokens of `slot` are part of a pass."""

    slot: int
    tokens_count: int


Pass = tuple[Share, ...]
"""What one forward pass computes, in slot order: with partitioned KV memory llama.cpp computes neighbouring slots
together only when they come in ascending order (`llama_batch_allocr::split_equal`)."""


def plan(view: Iterable[SlotView], limits: Limits) -> tuple[Pass, ...]:
    """The next forward passes: one token for every decoding slot, then prompt tokens, first come first served.

    An image takes as long as it takes; so a plan holds one at most, and then no other prompt tokens.
    """
    slots = sorted(view, key=lambda slot: slot.order)
    decoding = [Share(slot.slot, 1) for slot in slots if slot.pending_tokens == 0][: limits.batch_tokens_max]
    room = limits.batch_tokens_max - (0 if limits.prompts_apart else len(decoding))
    if decoding:
        room = min(room, limits.prefill_tokens_max)
    waiting = [slot for slot in slots if slot.pending_tokens]
    prompts = _prompt_shares(waiting, room, apart=limits.prompts_apart)
    if waiting and waiting[0].whole:
        passes = [decoding, [Share(waiting[0].slot, waiting[0].pending_tokens)]]
    elif not limits.prompts_apart:
        passes = [[*decoding, *prompts]]
    elif decoding:
        passes = [decoding, *([share] for share in prompts)]
    else:
        passes = [prompts[:1]]  # whoever is done with it decodes from the next plan on, the other prompts beside it
    return tuple(tuple(sorted(shares, key=lambda share: share.slot)) for shares in passes if shares)


def _prompt_shares(slots: Iterable[SlotView], room: int, *, apart: bool) -> list[Share]:
    """Of texts, up to the first image."""
    shares: list[Share] = []
    for slot in slots:
        if slot.whole:
            break
        count = _portion(slot.pending_tokens, room) if apart else min(slot.pending_tokens, room)
        if count:
            shares.append(Share(slot.slot, count))
        room -= count
        if count < slot.pending_tokens:
            break
    return shares


def _portion(pending_tokens: int, room: int) -> int:
    """As many as there is room for, without computing one alone or leaving one alone."""
    if pending_tokens <= room:
        return pending_tokens
    count = min(room, pending_tokens - PROMPT_TOKENS_MIN)
    return count if count >= PROMPT_TOKENS_MIN else 0


class PrefillPace:
    """Learns how long a prompt token takes and says how many fit into a step of the target time."""

    def __init__(self, *, target_s: float, tokens_min: int, tokens_max: int) -> None:
        self._target_s = target_s
        self._tokens_min = tokens_min
        self._tokens_max = tokens_max
        self._token_s: float | None = None

    def observe(self, *, prefill_tokens: int, step_s: float) -> None:
        """Take note of a step; only those made up mostly of prompt tokens tell something about them."""
        if prefill_tokens < self._tokens_min:
            return
        token_s = step_s / prefill_tokens
        self._token_s = token_s if self._token_s is None else 0.8 * self._token_s + 0.2 * token_s

    @property
    def tokens(self) -> int:
        if self._token_s is None:
            return self._tokens_min
        return max(self._tokens_min, min(self._tokens_max, round(self._target_s / self._token_s)))
