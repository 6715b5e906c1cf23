"""A clock that only tests move."""


class FakeClock:
    def __init__(self, *, start_unix_ms: int = 1_700_000_000_000) -> None:
        self._start_unix_ms = start_unix_ms
        self._elapsed_s = 0.0

    def advance(self, seconds: float) -> None:
        self._elapsed_s += seconds

    def monotonic_s(self) -> float:
        return self._elapsed_s

    def unix_ms(self) -> int:
        return self._start_unix_ms + round(self._elapsed_s * 1000)
