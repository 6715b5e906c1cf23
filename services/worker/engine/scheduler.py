"""Which tokens the next step computes: a pure function over what each slot still needs."""

from collections.abc import Iterable

import msgspec


class SlotView(msgspec.Struct, frozen=True):
    """A busy slot. `pending_tokens` are prompt tokens not yet computed; 0 means it decodes. Low `order` came first."""

    slot: int
    order: int
    pending_tokens: int


class Limits(msgspec.Struct, frozen=True):
    """`prefill_tokens_max` bounds the prompt tokens of a step in which somebody decodes, so that streams flow on."""

    batch_tokens_max: int
    prefill_tokens_max: int


class Share(msgspec.Struct, frozen=True):
    """`tokens_count` tokens of `slot` are part of the step."""

    slot: int
    tokens_count: int


def plan(view: Iterable[SlotView], limits: Limits) -> tuple[Share, ...]:
    """One token for every decoding slot, then prompt tokens, first come first served, up to the limits.

    The shares are in slot order: with partitioned KV memory llama.cpp computes neighbouring slots together only when
    they come in ascending order (`llama_batch_allocr::split_equal`).
    """
    slots = sorted(view, key=lambda slot: slot.order)
    shares = [Share(slot.slot, 1) for slot in slots if slot.pending_tokens == 0][: limits.batch_tokens_max]
    room = limits.batch_tokens_max - len(shares)
    if shares:
        room = min(room, limits.prefill_tokens_max)
    for slot in slots:
        if room <= 0:
            break
        if slot.pending_tokens:
            count = min(slot.pending_tokens, room)
            shares.append(Share(slot.slot, count))
            room -= count
    return tuple(sorted(shares, key=lambda share: share.slot))


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
