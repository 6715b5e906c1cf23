"""Time as a dependency: the protocol and the system's clock. The fake that tests move is in `tests/fakes`."""

import time
from typing import Protocol


class Clock(Protocol):
    def monotonic_s(self) -> float: ...

    def unix_ms(self) -> int: ...


class SystemClock:
    def monotonic_s(self) -> float:
        return time.monotonic()

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000
