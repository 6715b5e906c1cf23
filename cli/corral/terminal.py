"""What a long command shows on stderr: moving bars on a terminal, plain lines everywhere else.

Steps (a text each) and bars (a label with bytes done and bytes in all) come in any order; a bar is known by its label.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from corral.client import Json
from corral.format import human_bytes

PLAIN_EVERY_S: Final = 30.0
"""How often a bar speaks where nothing moves: often enough for whoever ends jobs that say nothing."""

SIZES_COLUMNS_MIN: Final = 60
SPEED_COLUMNS_MIN: Final = 80
"""The terminal widths from which there is room for bytes, and for speed and time."""


class Display(Protocol):
    """Both kinds of display; used as a context manager, which leaves the terminal in order."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def step(self, text: str) -> None:
        """What happens now; the same text again changes nothing."""

    def bar(self, label: str, done: int, total: int) -> None:
        """How far something has come."""


def display() -> Display:
    """The display that suits stderr. Colours, width and NO_COLOR are rich's to find out."""
    return display_on(Console(stderr=True, highlight=False))


def display_on(console: Console) -> Display:
    moving = console.is_terminal and not console.is_dumb_terminal
    return MovingDisplay(console) if moving else PlainDisplay(console)


def show_event(shown: Display, event: Json) -> None:
    """One event of a pull, a push or a build."""
    text, total = str(event.get("status", "")), int(event.get("total") or 0)
    if total:
        shown.bar(text or str(event.get("digest", "")), int(event.get("completed") or 0), total)
    elif text:
        shown.step(text)


class PlainDisplay:
    """A line for every step and every bar, and now and then one that says how far a bar has come."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._step = ""
        self._spoken_s: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def step(self, text: str) -> None:
        if text != self._step:
            self._step = text
            self._print(text)

    def bar(self, label: str, done: int, total: int) -> None:
        now_s = self._clock()
        if label not in self._spoken_s:
            self._print(label)
        elif done < total and now_s - self._spoken_s[label] >= PLAIN_EVERY_S:
            self._print(f"{label}: {100 * done // total} %, {human_bytes(done)} of {human_bytes(total)}")
        else:
            return
        self._step, self._spoken_s[label] = "", now_s

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, emoji=False, soft_wrap=True)


class MovingDisplay:
    """Steps with a spinner and bars under each other, in the order in which they came; all of it stays visible."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._moving: Progress | None = None
        self._step = ""
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._come_to_rest()

    def step(self, text: str) -> None:
        if text == self._step:
            return
        self._come_to_rest()
        self._move(_text_column(), SpinnerColumn(finished_text="")).add_task(text, total=None)
        self._step = text

    def bar(self, label: str, done: int, total: int) -> None:
        if self._moving is None or self._step:
            self._come_to_rest()
            self._move(*bar_columns(self._console.width), expand=True)
        assert self._moving is not None
        if label not in self._bars:
            self._bars[label] = self._moving.add_task(label, total=total)
        self._moving.update(self._bars[label], completed=done, total=total)

    def _move(self, *columns: ProgressColumn, expand: bool = False) -> Progress:
        # stdout is the command's result and may lead elsewhere: it is left alone.
        self._moving = Progress(*columns, console=self._console, expand=expand, redirect_stdout=False)
        self._moving.start()
        return self._moving

    def _come_to_rest(self) -> None:
        """Leave on the screen what has been shown, without its spinner."""
        if self._moving is not None:
            if self._step:
                self._moving.update(self._moving.task_ids[0], completed=1, total=1)
            self._moving.stop()
        self._moving, self._step, self._bars = None, "", {}


def bar_columns(width: int) -> list[ProgressColumn]:
    """What a bar's line tells in a terminal this wide."""
    columns: list[ProgressColumn] = [_text_column(max_width=max(8, width // 2)), BarColumn(bar_width=None)]
    columns.append(TaskProgressColumn())
    if width >= SIZES_COLUMNS_MIN:
        columns.append(DownloadColumn())
    if width >= SPEED_COLUMNS_MIN:
        columns += [TransferSpeedColumn(), TimeRemainingColumn(compact=True)]
    return columns


def _text_column(max_width: int | None = None) -> TextColumn:
    """Texts come from servers and file names: no markup in them. One with a limit is cut, others go over lines."""
    whole = max_width is None
    column = Column(no_wrap=not whole, overflow="fold" if whole else "ellipsis", max_width=max_width)
    return TextColumn("{task.description}", markup=False, table_column=column)
