"""A display that remembers what it was told."""

from types import TracebackType
from typing import Self


class RecordingDisplay:
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.bars: list[tuple[str, int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def step(self, text: str) -> None:
        self.steps.append(text)

    def bar(self, label: str, done: int, total: int) -> None:
        self.bars.append((label, done, total))
