"""Cuts Go template source into tokens: text, and what stands between `{{` and `}}`.

Never raises: what is no token ends the list as an error token, so that the parser reports whichever fault comes first.
Source: Go `text/template/parse/lex.go`, with trim markers, comments and newlines inside actions.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.go_template.quoting import quoted

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
    PUNCTUATION = auto()
    ERROR = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`value` is the token as it stands in the source (a TEXT without what is trimmed), an ERROR's is its message.

    `spaced` says that white space stands before the token: `.A .B` are two operands, `.A.B` is one.
    """

    kind: Kind
    value: str
    start: int
    line: int
    spaced: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.value)


_COMMENT_START: Final = re.compile(r"(?:-[ \t\r\n])?/\*")
_COMMENT_END: Final = re.compile(r"([ \t\r\n]-)?\}\}")
_TOKEN: Final = re.compile(
    r"""
    (?P<close>(?:[ \t\r\n]+-)?\}\})
    |(?P<space>[ \t\r\n]+)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`)
    |(?P<char>'(?:[^'\\\n]|\\[^\n])*')
    |(?P<number>[+-]?(?:
        0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?
        |0[bB][01_]*|0[oO][0-7_]*
        |(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]*)?)i?)
    |(?P<field>\.[^\W\d]\w*)
    |(?P<dot>\.)
    |(?P<variable>\$\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<declare>:=)
    |(?P<assign>=)
    |(?P<pipe>\|)
    |(?P<left_paren>\()
    |(?P<right_paren>\))
    |(?P<punctuation>[!-~])
    """,
    re.VERBOSE,
)
_NAME_ENDS: Final = re.compile(r"[ \t\r\n.,|:)(]|\}\}|\Z")
_NEED_AN_END: Final = frozenset({"field", "dot", "variable", "word"})
_UNTERMINATED: Final = {
    '"': "unterminated quoted string",
    "`": "unterminated raw quoted string",
    "'": "unterminated character constant",
}


def tokens(source: str) -> list[Token]:
    """All tokens; the last one is END or ERROR."""
    return _Lexer(source).run()


class _Lexer:
    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._line = 1
        self._tokens: list[Token] = []
        self._parens_open = 0

    def run(self) -> list[Token]:
        trims_left = False
        while not self._failed:
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
                break
            trims_left = self._comment() if _COMMENT_START.match(self._source, start + 2) else self._action()
        return self._tokens

    @property
    def _failed(self) -> bool:
        return bool(self._tokens) and self._tokens[-1].kind is Kind.ERROR

    def _trims(self, after_open: int) -> bool:
        following = self._source[after_open : after_open + 2]
        return len(following) == 2 and following[0] == "-" and following[1] in SPACES

    def _comment(self) -> bool:
        """Skip a comment; says whether it trims the text after it."""
        end = self._source.find("*/", self._position)
        if end < 0:
            return self._fail("unclosed comment")
        close = _COMMENT_END.match(self._source, end + 2)
        if close is None:
            return self._fail("comment ends before closing delimiter")
        self._advance(close.end() - self._position)
        return close.group(1) is not None

    def _action(self) -> bool:
        """Read one action; says whether it trims the text after it."""
        self._add(Kind.OPEN, "{{")
        self._advance(3 if self._trims(self._position + 2) else 2)
        self._parens_open = 0
        spaced = False
        while not self._failed:
            match = _TOKEN.match(self._source, self._position)
            if match is None:
                return self._fail(self._complaint())
            name, text = match.lastgroup or "", match.group()
            if name == "close":
                if self._parens_open:
                    return self._fail("unclosed left paren")
                self._add(Kind.CLOSE, "}}", spaced=spaced)
                self._advance(len(text))
                return text != "}}"
            if name == "space":
                spaced = True
            else:
                self._token(name, text, spaced=spaced)
                spaced = False
            self._advance(len(text))
        return False

    def _token(self, name: str, text: str, *, spaced: bool) -> None:
        following = self._source[self._position + len(text) : self._position + len(text) + 1]
        if name in _NEED_AN_END and not _NAME_ENDS.match(self._source, self._position + len(text)):
            self._fail(f"bad character {_shown_character(following)}")
        elif name == "number" and (following.isalnum() or following == "_"):
            self._fail(f"bad number syntax: {quoted(text + following)}")
        elif name == "punctuation" and text in _UNTERMINATED:
            self._fail(_UNTERMINATED[text])
        elif text == ":":
            self._fail("expected :=")
        elif text == ")" and not self._parens_open:
            self._fail("unexpected right paren")
        else:
            self._parens_open += (name == "left_paren") - (name == "right_paren")
            self._add(Kind[name.upper()], text, spaced=spaced)

    def _complaint(self) -> str:
        rest = self._source[self._position : self._position + 1]
        return f"unrecognized character in action: {_shown_character(rest)}" if rest else "unclosed action"

    def _fail(self, problem: str) -> bool:
        self._add(Kind.ERROR, problem)
        return False

    def _add(self, kind: Kind, value: str, *, spaced: bool = False) -> None:
        self._tokens.append(Token(kind, value, self._position, self._line, spaced))

    def _advance(self, count: int) -> None:
        self._line += self._source.count("\n", self._position, self._position + count)
        self._position += count


def _shown_character(character: str) -> str:
    """As Go's `%#U` shows it: the code, and the character itself if it can be seen."""
    code = f"U+{ord(character):04X}"
    return f"{code} '{character}'" if character.isprintable() else code
