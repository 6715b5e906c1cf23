"""Progress on a terminal, or now and then a line in a log. Standard library only: it runs before anything is there."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

LINE_EVERY_S = 15.0
TERMINAL_EVERY_S = 0.1


class Meter:
    """Shows `done` of `total`: rewritten in place on a terminal, a new line every LINE_EVERY_S elsewhere."""

    def __init__(self, label: str, *, unit: str, out: TextIO | None = None) -> None:
        self._label = label
        self._unit = unit
        self._out = out or sys.stdout
        self._started_s = time.monotonic()
        self._shown_s = float("-inf")
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last:
            self._out.write(f"\r{self._last}\n" if self._out.isatty() else f"{self._last}\n")
            self._out.flush()

    def show(self, done: int, total: int) -> None:
        now_s = time.monotonic()
        share = 100 * done // total if total else 100
        self._last = f"{self._label} {done}/{total} {self._unit} ({share} %, {now_s - self._started_s:.0f} s)"
        if now_s - self._shown_s < (TERMINAL_EVERY_S if self._out.isatty() else LINE_EVERY_S):
            return
        self._shown_s = now_s
        self._out.write(f"\r{self._last}" if self._out.isatty() else f"{self._last}\n")
        self._out.flush()
