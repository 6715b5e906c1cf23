"""Whether the model store can be written to, looked at again and again: a disk fills up, and a volume goes away.

`/readyz` is told the last answer, because a file system that hangs would hang whoever asks it.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from shared.clock import Clock

log = structlog.get_logger("corral.registry")

LOOK_INTERVAL_S: Final = 5.0
ANSWER_S_MAX: Final = 10.0
"""A store that needs longer for one small file hangs."""


class StoreWatch:
    """`look` writes to the store, and raises OSError where it cannot; it runs on a thread."""

    def __init__(self, look: Callable[[], None], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._asked_s: float | None = None
        self._refusal: str | None = "the model store has not been looked at yet"

    @property
    def problem(self) -> str | None:
        """Why nothing can be stored, or None."""
        if self._asked_s is not None:
            silent_s = self._clock.monotonic_s() - self._asked_s
            if silent_s > ANSWER_S_MAX:
                return f"the model store has not answered for {silent_s:.0f} s"
        return self._refusal

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def once(self) -> None:
        before, self._asked_s = self._refusal, self._clock.monotonic_s()
        try:
            await asyncio.to_thread(self._look)
        except OSError as refused:
            self._refusal = f"the model store cannot be written to: {refused.strerror}"
            if self._refusal != before:
                log.error("store_refused", reason=refused.strerror, path=refused.filename)
        else:
            self._refusal = None
        finally:
            self._asked_s = None


def try_to_write(folder: Path) -> None:
    """Write a small file there, which has no name and so is in nobody's way.

    Raises: OSError.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"written")
        file.flush()
