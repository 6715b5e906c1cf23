"""When a failed try is followed by another one, and after which pause."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from shared.errors import UpstreamFailed

T = TypeVar("T")

TRIES_MAX: Final = 6
"""Failures in a row without a byte gained. What gains bytes ends by itself, for a blob has only so many."""

FIRST_TRIES_MAX: Final = 3
"""Of the first question: somebody may be waiting to be told that the registry's name is misspelt."""

PAUSE_S_FIRST: Final = 0.25
PAUSE_S_MAX: Final = 32.0


def pause_s(failures_count: int, *, share: float) -> float:
    """How long to wait after that many failures in a row.

    A first failure may be chance, more are trouble: the pause grows fourfold. `share` (0 to 1) spreads those that
    failed together over the second half of it.
    """
    longest_s = min(PAUSE_S_FIRST * 4.0 ** (failures_count - 1), PAUSE_S_MAX)
    return longest_s * (0.5 + share / 2)


class Patience:
    """Counts the failures of one thing and pauses after each.

    Raises: UpstreamFailed, the failure that was one too many.
    """

    def __init__(self, tries_max: int = TRIES_MAX) -> None:
        self._tries_max = tries_max
        self._failures_count = 0

    async def bear(self, failure: UpstreamFailed, *, gained: bool = False) -> None:
        """Wait for the next try; one that `gained` something was no vain one."""
        self._failures_count = 1 if gained else self._failures_count + 1
        if self._failures_count >= self._tries_max:
            raise failure
        await asyncio.sleep(pause_s(self._failures_count, share=random.random()))  # noqa: S311 - a spread, no secret


async def retried(call: Callable[[], Awaitable[T]], *, tries_max: int = TRIES_MAX) -> T:
    """Raises: what the call raises; an UpstreamFailed only after the last try."""
    patience = Patience(tries_max)
    while True:
        try:
            return await call()
        except UpstreamFailed as failure:
            await patience.bear(failure)
