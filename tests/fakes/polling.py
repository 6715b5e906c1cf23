"""Waiting for what another process or task will do, where there is no event to await."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

POLL_S = 0.005


async def until(condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = 5.0) -> None:
    """Return as soon as the condition holds; the limit only bounds a failing test.

    Raises: TimeoutError.
    """
    async with asyncio.timeout(within_s):
        while not await _holds(condition):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(POLL_S)


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    result = condition()
    return await result if inspect.isawaitable(result) else bool(result)
