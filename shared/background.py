"""A service's own loops: started, watched and ended with their owner."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import structlog

log = structlog.get_logger("corral.background")


@contextlib.asynccontextmanager
async def running(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `coroutine` beside the block and cancel it at its end.

    If it ends by itself the service has lost a part of itself: it stops, because a restart is cheaper than half a
    service.
    """
    task = asyncio.create_task(coroutine)
    task.add_done_callback(_stop_service_if_failed)
    try:
        yield
    finally:
        task.remove_done_callback(_stop_service_if_failed)
        task.cancel()
        await asyncio.wait([task])


def _stop_service_if_failed(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        log.critical("service_part_ended", exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)
