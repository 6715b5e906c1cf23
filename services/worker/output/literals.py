"""Values in notations that are nearly JSON, made into JSON text: Python's literals, and the ones of Gemma. Pure."""

import re
from collections.abc import Callable
from typing import Final

from services.worker.output.json_text import NESTING_MAX, joined_object, string_text
from services.worker.output.tools import Unreadable

_WORDS: Final = {"true": "true", "True": "true", "false": "false", "False": "false", "null": "null", "None": "null"}
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_SPACE: Final = re.compile(r"\s*")
_BARE: Final = re.compile(r"[^,\[\](){}]+")
_KEY: Final = re.compile(r"[^\s,:=\[\](){}]+")
_QUOTED: Final = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in ("'", '"')}
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_CLOSING: Final = {"{": "}", "[": "]", "(": ")"}


class Literals:
    """Reads a text from left to right. `string_mark` stands before and after a string in Gemma's notation."""

    def __init__(self, text: str, *, string_mark: str = "") -> None:
        self.text = text
        self.at = 0
        self._mark = string_mark
        self._levels = NESTING_MAX

    def skips(self, text: str) -> bool:
        """Whether `text` stands next, after any whitespace; then it is passed."""
        self._skip_space()
        if not self.text.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def expect(self, text: str) -> None:
        if not self.skips(text):
            raise Unreadable(f"expected {text!r} at character {self.at}")

    @property
    def is_over(self) -> bool:
        self._skip_space()
        return self.at == len(self.text)

    def word(self, pattern: re.Pattern[str] = _KEY) -> str:
        """What `pattern` finds here. Raises: Unreadable."""
        self._skip_space()
        found = pattern.match(self.text, self.at)
        if found is None:
            raise Unreadable(f"expected a name at character {self.at}")
        self.at = found.end()
        return found.group()

    def members(self, opening: str, separator: str) -> str:
        """Keys with their values in brackets, as a JSON object. Raises: Unreadable."""
        pairs: list[tuple[str, str]] = []

        def pair() -> None:
            string = self._string()
            key = self.word() if string is None else string
            self.expect(separator)
            pairs.append((key, self.value()))

        self._bracketed(opening, pair)
        return joined_object(pairs)

    def value(self) -> str:
        """The next value as JSON. Raises: Unreadable."""
        self._skip_space()
        string = self._string()
        if string is not None:
            return string_text(string)
        here = self.text[self.at : self.at + 1]
        if here == "{":
            return self.members("{", ":")
        if here in ("[", "("):
            items: list[str] = []
            self._bracketed(here, lambda: items.append(self.value()))
            return "[" + ",".join(items) + "]"
        bare = self.word(_BARE).strip()
        if _NUMBER.fullmatch(bare):
            return bare
        return _WORDS.get(bare) or string_text(bare)

    def _bracketed(self, opening: str, read: Callable[[], None]) -> None:
        """What `read` reads, again and again, with commas between; one after the last is allowed."""
        self._levels -= 1
        if self._levels < 0:
            raise Unreadable("the arguments are nested too deeply")
        self.expect(opening)
        closing = _CLOSING[opening]
        while not self.skips(closing):
            read()
            if not self.skips(","):
                self.expect(closing)
                break
        self._levels += 1

    def _string(self) -> str | None:
        """The string that begins here, if one does. Raises: Unreadable when it does not end."""
        self._skip_space()
        if self._mark and self.text.startswith(self._mark, self.at):
            start = self.at + len(self._mark)
            end = self.text.find(self._mark, start)
            if end < 0:
                raise Unreadable("a string is not closed")
            self.at = end + len(self._mark)
            return self.text[start:end]
        quoted = _QUOTED.get(self.text[self.at : self.at + 1])
        if quoted is None:
            return None
        found = quoted.match(self.text, self.at)
        if found is None:
            raise Unreadable("a string is not closed")
        self.at = found.end()
        return _unescaped(found[1])

    def _skip_space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()


def _unescaped(text: str) -> str:
    """Raises: ValueError for escapes of what is no character."""
    if "\\" not in text:
        return text
    # Two escapes may be the halves of one character, as in JSON.
    return _ESCAPE.sub(_character, text).encode("utf-16", "surrogatepass").decode("utf-16")


def _character(escape: re.Match[str]) -> str:
    code = escape[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPED.get(code, code)
