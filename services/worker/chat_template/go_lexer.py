"""Cuts Go template source into tokens: text, and what stands between `{{` and `}}`.

Source: Go `text/template/parse/lex.go`, with trim markers, comments and newlines inside actions.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.errors import ParameterInvalid

SPACES: Final = " \t\r\n"


class Kind(Enum):
    TEXT = auto()
    OPEN = auto()
    CLOSE = auto()
    FIELD = auto()
    VARIABLE = auto()
    WORD = auto()
    STRING = auto()
    CHAR = auto()
    NUMBER = auto()
    DOT = auto()
    DECLARE = auto()
    ASSIGN = auto()
    PIPE = auto()
    LEFT_PAREN = auto()
    RIGHT_PAREN = auto()
    COMMA = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`value` is the text itself, a field's bare name or a string literal's meaning.

    `spaced` says that white space stands before the token: `.A .B` are two operands, `.A.B` is one.
    """

    kind: Kind
    value: str
    line: int
    spaced: bool = False


_COMMENT_START = re.compile(r"(?:-[ \t\r\n])?/\*")
_COMMENT_END = re.compile(r"([ \t\r\n]-)?\}\}")
_TOKEN = re.compile(
    r"""
    (?P<trimming_close>[ \t\r\n]+-\}\})
    |(?P<close>\}\})
    |(?P<space>[ \t\r\n]+)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<raw>`[^`]*`)
    |(?P<char>'(?:[^'\\\n]|\\.)+')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)(?!\w))
    |(?P<field>\.[^\W\d]\w*)
    |(?P<dot>\.)
    |(?P<variable>\$\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<declare>:=)
    |(?P<assign>=)
    |(?P<pipe>\|)
    |(?P<left_paren>\()
    |(?P<right_paren>\))
    |(?P<comma>,)
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"'])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_NAMED: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34, "'": 39}


def tokens(source: str) -> list[Token]:
    """Raises: ParameterInvalid, naming the line."""
    return _Lexer(source).run()


class _Lexer:
    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._line = 1
        self._tokens: list[Token] = []

    def run(self) -> list[Token]:
        trims_left = False
        while True:
            start = self._source.find("{{", self._position)
            text = self._source[self._position : start if start >= 0 else len(self._source)]
            shown = text.lstrip(SPACES) if trims_left else text
            if start >= 0 and self._trims(start + 2):
                shown = shown.rstrip(SPACES)
            if shown:
                self._add(Kind.TEXT, shown)
            self._advance(len(text))
            if start < 0:
                self._add(Kind.END, "")
                return self._tokens
            trims_left = self._comment() if _COMMENT_START.match(self._source, start + 2) else self._action()

    def _trims(self, after_open: int) -> bool:
        following = self._source[after_open : after_open + 2]
        return len(following) == 2 and following[0] == "-" and following[1] in SPACES

    def _comment(self) -> bool:
        """Skip a comment; says whether it trims the text after it."""
        end = self._source.find("*/", self._position)
        if end < 0:
            raise self._error("unclosed comment")
        close = _COMMENT_END.match(self._source, end + 2)
        if close is None:
            raise self._error("comment ends before closing delimiter")
        self._advance(close.end() - self._position)
        return close.group(1) is not None

    def _action(self) -> bool:
        """Read one action; says whether it trims the text after it."""
        self._add(Kind.OPEN, "{{")
        self._advance(3 if self._trims(self._position + 2) else 2)
        spaced = False
        while True:
            match = _TOKEN.match(self._source, self._position)
            if match is None:
                raise self._error(self._complaint())
            name = match.lastgroup or ""
            if name in ("close", "trimming_close"):
                self._add(Kind.CLOSE, "}}")
                self._advance(len(match.group()))
                return name == "trimming_close"
            if name == "space":
                spaced = True
            else:
                self._add_matched(name, match.group(), spaced=spaced)
                spaced = False
            self._advance(len(match.group()))

    def _add_matched(self, name: str, text: str, *, spaced: bool) -> None:
        match name:
            case "string" | "char":
                self._add(Kind[name.upper()], self._unquoted(text[1:-1]), spaced=spaced)
            case "raw":
                self._add(Kind.STRING, text[1:-1], spaced=spaced)
            case "field":
                self._add(Kind.FIELD, text[1:], spaced=spaced)
            case _:
                self._add(Kind[name.upper()], text, spaced=spaced)

    def _unquoted(self, text: str) -> str:
        """The meaning of a quoted literal's inside; `\\x` and octal escapes are bytes, as in Go."""
        if "\\" not in text:
            return text
        parts = bytearray()
        position = 0
        while position < len(text):
            start = text.find("\\", position)
            if start < 0:
                parts += _utf8(text[position:])
                break
            parts += _utf8(text[position:start])
            escape = _ESCAPE.match(text, start)
            if escape is None:
                raise self._error("invalid escape in a literal")
            parts += self._escaped(escape)
            position = escape.end()
        return parts.decode("utf-8", errors="replace")

    def _escaped(self, escape: re.Match[str]) -> bytes:
        named, octal, byte, short, long = escape.groups()
        if named is not None:
            return bytes([_NAMED[named]])
        if octal is not None or byte is not None:
            number = int(octal, 8) if octal is not None else int(byte, 16)
            if number > 255:
                raise self._error("invalid escape in a literal")
            return bytes([number])
        code = int(short or long, 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise self._error("invalid escape in a literal")
        return chr(code).encode()

    def _complaint(self) -> str:
        rest = self._source[self._position : self._position + 1]
        if not rest:
            return "unclosed action"
        if rest in "\"`'":
            return "unterminated quoted string"
        return f"unexpected {rest!r} in an action"

    def _add(self, kind: Kind, value: str, *, spaced: bool = False) -> None:
        self._tokens.append(Token(kind, value, self._line, spaced))

    def _advance(self, count: int) -> None:
        self._line += self._source.count("\n", self._position, self._position + count)
        self._position += count

    def _error(self, problem: str) -> ParameterInvalid:
        return ParameterInvalid(f"template: line {self._line}: {problem}")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")
