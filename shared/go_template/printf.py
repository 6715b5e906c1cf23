"""Go's `printf`: reads the pattern and takes the arguments in turn. How one value looks is `formatting`'s.

Mistakes in a pattern are no errors: Go tells them inside the text, as `%!d(string=x)`.
Source: Go `fmt/print.go`, doPrintf.
"""

import re
from collections.abc import Sequence
from typing import Final

from shared.go_template.formatting import Spec, formatted, typed
from shared.go_template.pieces import Pieces
from shared.go_template.values import Struct
from shared.template_budget import Budget

NUMBER_MAX: Final = 1_000_000
"""Widths and precisions beyond it are refused by Go too."""

_FLAGS: Final = re.compile(r"[-+# 0]*")
_DIGITS: Final = re.compile(r"[0-9]*")
_ARGUMENT_INDEX: Final = re.compile(r"\[([^\]]*)\]")


def sprintf(pattern: str, arguments: Sequence[object], budget: Budget | None = None) -> str:
    """Raises: TemplateFailed for a value that is nested too deeply, and for more text than the budget can pay."""
    return _Printer(pattern, arguments, Budget() if budget is None else budget).run()


class _Printer:
    def __init__(self, pattern: str, arguments: Sequence[object], budget: Budget) -> None:
        self._pattern = pattern
        self._arguments = arguments
        self._at = 0
        self._next = 0
        self._reordered = False
        self._index_is_good = True
        self._after_index = False
        self._parts = Pieces(budget)

    def run(self) -> str:
        while (percent := self._pattern.find("%", self._at)) >= 0:
            self._parts.append(self._pattern[self._at : percent])
            self._at = percent + 1
            self._parts.append(self._verb())
        self._parts.append(self._pattern[self._at :])
        extra = self._arguments[self._next :]
        if extra and not self._reordered:
            self._extra(extra)
        return self._parts.joined()

    def _extra(self, values: Sequence[object]) -> None:
        self._parts.append("%!(EXTRA ")
        for position, value in enumerate(values):
            self._parts.append(f"{', ' if position else ''}{typed(value)}")
        self._parts.append(")")

    def _verb(self) -> str:
        """The text of what stands after a percent sign."""
        self._index_is_good, self._after_index = True, False
        flags = set(self._match(_FLAGS))
        self._argument_index()
        width, flags = self._width(flags)
        precision = self._precision()
        if not self._after_index:
            self._argument_index()
        if self._at >= len(self._pattern):
            return "%!(NOVERB)"
        verb = self._pattern[self._at]
        self._at += 1
        if verb == "%":
            return "%"
        if not self._index_is_good:
            return f"%!{verb}(BADINDEX)"
        if self._next >= len(self._arguments):
            return f"%!{verb}(MISSING)"
        value = self._arguments[self._next]
        self._next += 1
        if size := max(abs(width or 0), precision or 0):
            self._parts.expect(size * _scalars_in(value))
        spec = Spec(verb, width=width, precision=precision, flags=frozenset(flags - ({"0"} if "-" in flags else set())))
        return formatted(spec, value)

    def _width(self, flags: set[str]) -> tuple[int | None, set[str]]:
        if self._pattern[self._at : self._at + 1] != "*":
            width = self._number()
            self._index_is_good &= not (self._after_index and width is not None)  # %[3]2d
            return width, flags
        width = self._star()
        if width is None:
            self._parts.append("%!(BADWIDTH)")
        return (-width, flags | {"-"}) if width is not None and width < 0 else (width, flags)

    def _precision(self) -> int | None:
        if self._pattern[self._at : self._at + 1] != ".":
            return None
        self._at += 1
        self._index_is_good &= not self._after_index  # %[3].2d
        self._argument_index()
        if self._pattern[self._at : self._at + 1] != "*":
            return self._number() or 0
        precision = self._star()
        if precision is None or precision < 0:
            self._parts.append("%!(BADPREC)")
            return None
        return precision

    def _star(self) -> int | None:
        """The next argument as a width or precision; None when it is no sensible integer."""
        self._at += 1
        self._after_index = False
        value = self._arguments[self._next] if self._next < len(self._arguments) else None
        self._next += self._next < len(self._arguments)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > NUMBER_MAX:
            return None
        return value

    def _number(self) -> int | None:
        """Digits; none of them give None, and so does too large a number, which ends the pattern."""
        digits = self._match(_DIGITS)
        if len(digits) > len(str(NUMBER_MAX)) or int(digits or 0) > NUMBER_MAX:
            self._at = len(self._pattern)
            return None
        return int(digits) if digits else None

    def _argument_index(self) -> None:
        """Read `[n]`, if it stands here: the next argument is the n-th."""
        self._after_index = False
        if self._pattern[self._at : self._at + 1] != "[":
            return
        self._reordered = True
        bracket = _ARGUMENT_INDEX.match(self._pattern, self._at)
        if bracket is None:
            self._at += 1
            self._index_is_good = False
            return
        self._at = bracket.end()
        digits = bracket[1]
        position = int(digits) - 1 if digits.isdecimal() and digits.isascii() and len(digits) < 8 else -1
        if 0 <= position < len(self._arguments):
            self._next = position
            self._after_index = True
        else:
            self._index_is_good = False
            self._after_index = position >= 0

    def _match(self, expression: re.Pattern[str]) -> str:
        match = expression.match(self._pattern, self._at)
        assert match is not None, "the expressions match the empty text"
        self._at = match.end()
        return match.group()


def _scalars_in(value: object) -> int:
    """How many texts a width or precision may apply to."""
    count = 0
    pending = [value]
    while pending:
        match pending.pop():
            case list() | tuple() as items:
                pending.extend(items)
            case dict() as members:
                pending.extend((*members, *members.values()))
            case Struct(fields=fields):
                pending.extend(fields.values())
            case _:
                count += 1
    return max(1, count)
