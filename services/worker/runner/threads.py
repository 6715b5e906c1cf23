"""How many threads a runner computes with: fewer while something else needs the cores.

llama.cpp's threads meet at a barrier after every operation and spin there. When one of them has to wait for a core, all
wait, and throughput does not halve but collapses (docs/adr/0003). The kernel tells how long threads waited for a core.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

WINDOW_S: Final = 0.5
WAITING_THREADS_MAX: Final = 0.4
"""Threads waiting for a core on average: Corral's own processes cause about 0.1, one busy foreign process 0.7."""

PATIENCE_MIN_S: Final = 5.0
PATIENCE_MAX_S: Final = 60.0

_TASKS: Final = Path("/proc/self/task")


def waited_s() -> float:
    """How long this process's threads have been ready to run without a core, summed; 0 where the kernel does not tell.

    Source: Linux `Documentation/scheduler/sched-stats.rst`, /proc/<pid>/schedstat.
    """
    waited_ns = 0
    try:
        for task in _TASKS.iterdir():
            waited_ns += int((task / "schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0  # a thread that ended meanwhile, or another kernel
    return waited_ns / 1e9


class ThreadBalance:
    """Gives threads up when they wait for cores, and tries again after a while, more patiently each time in vain."""

    def __init__(self, threads_max: int) -> None:
        self._threads_max = threads_max
        self._given_up = 0
        self._patience_s = PATIENCE_MIN_S
        self._retry_s = 0.0
        self._trying = False
        self._crowded = False  # in the latest window; one alone may be a burst of requests
        self._since: tuple[float, float] | None = None  # when the window began, and the waiting until then

    @property
    def threads(self) -> int:
        return max(1, self._threads_max - self._given_up)

    def allow(self, threads_max: int) -> None:
        """The worker divides its threads anew."""
        self._threads_max = threads_max

    def pause(self) -> None:
        """Nothing is computed for a while: what is measured must not include it."""
        self._since = None

    def observe(self, waited_s: Callable[[], float], *, now_s: float) -> None:
        """Look at the clock after a step, and at how long threads have waited when a window is over."""
        if self._since is None:
            self._since = (now_s, waited_s())
            return
        elapsed_s = now_s - self._since[0]
        if elapsed_s < WINDOW_S:
            return
        began_s, self._since = self._since[1], (now_s, waited_s())
        waiting = (self._since[1] - began_s) / elapsed_s
        in_a_row, self._crowded = self._crowded, waiting > WAITING_THREADS_MAX
        if self._crowded and self.threads > 1:
            if in_a_row:
                self._give_up(max(1, round(waiting)), now_s)
        elif self._given_up and now_s >= self._retry_s:
            self._given_up -= 1
            self._trying = True
            self._retry_s = now_s + self._patience_s
        elif self._trying:
            self._trying = False
            self._patience_s = PATIENCE_MIN_S

    def _give_up(self, count: int, now_s: float) -> None:
        self._given_up = min(self._given_up + count, self._threads_max - 1)
        if self._trying:
            self._patience_s = min(PATIENCE_MAX_S, self._patience_s * 2)
        self._trying = self._crowded = False
        self._retry_s = now_s + self._patience_s
