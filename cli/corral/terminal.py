"""What moves on a terminal: one line that is rewritten there, and plain lines everywhere else."""

import sys
import time
from types import TracebackType
from typing import Final, Self, TextIO

from corral.format import human_bytes

REDRAW_EVERY_S: Final = 0.1
CLEAR_LINE: Final = "\r\x1b[K"


class StatusLine:
    """Shows one status after another on stderr; each new text gets a line, its progress stays on it."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._text = ""
        self._drawn_s = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_line()

    def show(self, text: str, done: int = 0, total: int = 0) -> None:
        """Show `text`; with a total also how much of it is done."""
        now_s = time.monotonic()
        same = text == self._text
        if same and (now_s - self._drawn_s < REDRAW_EVERY_S and done < total):
            return
        if not same:
            self._end_line()
        self._text, self._drawn_s = text, now_s
        if self._out.isatty():
            self._out.write(f"{CLEAR_LINE}{text}{_share(done, total)}")
        elif not same:
            self._out.write(f"{text}\n")
        self._out.flush()

    def _end_line(self) -> None:
        if self._text and self._out.isatty():
            self._out.write("\n")
            self._out.flush()
        self._text = ""


def _share(done: int, total: int) -> str:
    return f"  {100 * done // total} %  {human_bytes(done)} of {human_bytes(total)}" if total else ""
