"""Where a call that is being written ends. Pure."""

from typing import Final

from services.worker.output.named_calls import ARGS, CALL_ID
from services.worker.output.scanning import Marks, Scanner

_QUOTE: Final = '"'
_IN_STRING: Final = Marks(_QUOTE, '\\"', "\\\\")
_OPENING: Final = ("{", "[")
_CLOSING: Final = ("}", "]")
_JSON_LISTS: Final = ("[{", "[[", '["', "[]")
_BRACKETS: Final = Marks(_QUOTE, *_OPENING, *_CLOSING, ARGS, CALL_ID)


class Body:
    """The text of a call: up to the mark `closing`, or without one up to the end of a JSON value.

    Inside of JSON's strings nothing closes it. Whether it is JSON at all shows in its first two characters. `bracket`
    is one that belongs to it and is read already.
    """

    def __init__(self, closing: str, *, bracket: str = "") -> None:
        self._closing = closing
        self._marks = Marks(closing, _QUOTE) if closing else _BRACKETS
        self._parts = [bracket]
        self._beginning = ""
        self._in_string = False
        self._depth = len(bracket)
        self.is_json = not closing

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def take(self, scanner: Scanner) -> bool:
        """Take what belongs to the body; whether it is complete."""
        while True:
            text, mark = scanner.until(_IN_STRING if self._in_string else self._marks)
            self._judge(text + mark)
            self._parts.append(text)
            if mark and mark == self._closing and not self._in_string:
                return True
            self._parts.append(mark)
            if not mark:
                return False
            if self._is_closed_by(mark):
                return True

    def _judge(self, text: str) -> None:
        if len(self._beginning) < 2:
            self._beginning = (self._beginning + "".join(text.split()))[:2]
            self.is_json = self.is_json or self._beginning.startswith(("{", *_JSON_LISTS))

    def _is_closed_by(self, mark: str) -> bool:
        if mark == _QUOTE:
            self._in_string = self.is_json and not self._in_string
        elif mark in _OPENING:
            self._depth += 1
        elif mark in _CLOSING:
            self._depth -= 1
            return self._depth <= 0
        return False
