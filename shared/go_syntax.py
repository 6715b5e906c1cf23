"""Where a JSON text stops being JSON, told in the words of Go's encoding/json. Values are `go_json`'s.

The scan goes token by token and never recurses, so its cost and its stack do not depend on what the bytes say.
Source: Go `encoding/json/scanner.go`, `stream.go`.
"""

import re
from typing import Final

from shared.errors import ParameterInvalid

NESTING_MAX: Final = 256
"""Open brackets at once. Go allows 10,000; Python's own decoder recurses, so the limit is far below its stack."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_PLAIN_TEXT = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]*")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_ESCAPES = frozenset(b'bfnrt\\/"')
_LITERALS: Final = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_GO_ESCAPES: Final = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 92: "\\\\", 39: "\\'"}


def value_span(body: bytes) -> tuple[int, int]:
    """Start and end of the first JSON value; what follows it does not matter.

    Raises: ParameterInvalid with Go's text for the first byte that cannot belong to it.
    """
    start = _skip(_SPACE, body, 0)
    if start == len(body):
        raise ParameterInvalid("missing request body")
    closers: list[int] = []
    at = _begin_value(body, start, closers)
    while closers:
        at = _after_value(body, at, closers)
    return start, at


def _begin_value(body: bytes, at: int, closers: list[int]) -> int:
    """Read a scalar, or open a bracket and read on to the end of the first scalar or empty bracket inside."""
    while True:
        at = _skip(_SPACE, body, at)
        match opening := _byte(body, at):
            case 0x7B:  # {
                _open(closers, opening, 0x7D)
                at = _skip(_SPACE, body, at + 1)
                if _byte(body, at) != 0x7D:
                    at = _key(body, at)
                    continue
            case 0x5B:  # [
                _open(closers, opening, 0x5D)
                at = _skip(_SPACE, body, at + 1)
                if _byte(body, at) != 0x5D:
                    continue
            case _:
                return _scalar(body, at)
        closers.pop()
        return at + 1


def _after_value(body: bytes, at: int, closers: list[int]) -> int:
    """Go from the end of a value inside a bracket to the end of the next value, which may be the bracket itself."""
    at = _skip(_SPACE, body, at)
    byte = _byte(body, at)
    if byte == closers[-1]:
        closers.pop()
        return at + 1
    in_object = closers[-1] == 0x7D
    if byte != 0x2C:
        raise _unexpected(byte, "after object key:value pair" if in_object else "after array element")
    at = _skip(_SPACE, body, at + 1)
    return _begin_value(body, _key(body, at) if in_object else at, closers)


def _key(body: bytes, at: int) -> int:
    """Read `"key" :` and give the place after the colon."""
    if (byte := _byte(body, at)) != 0x22:
        raise _unexpected(byte, "looking for beginning of object key string")
    at = _skip(_SPACE, body, _string(body, at))
    if (byte := _byte(body, at)) != 0x3A:
        raise _unexpected(byte, "after object key")
    return at + 1


def _open(closers: list[int], opening: int, closer: int) -> None:
    closers.append(closer)
    if len(closers) > NESTING_MAX:
        raise _unexpected(opening, "exceeded max depth")


def _scalar(body: bytes, at: int) -> int:
    first = body[at]
    if first == 0x22:
        return _string(body, at)
    if first in _LITERALS:
        return _literal(body, at, _LITERALS[first])
    if first == 0x2D or 0x30 <= first <= 0x39:
        return _number(body, at)
    raise _unexpected(first, "looking for beginning of value")


def _literal(body: bytes, at: int, word: bytes) -> int:
    for offset, expected in enumerate(word):
        if (byte := _byte(body, at + offset)) != expected:
            raise _unexpected(byte, f"in literal {word.decode()} (expecting '{chr(expected)}')")
    return at + len(word)


def _string(body: bytes, at: int) -> int:
    at += 1
    while True:
        at = _skip(_PLAIN_TEXT, body, at)
        byte = _byte(body, at)
        if byte == 0x22:
            return at + 1
        if byte != 0x5C:
            raise _unexpected(byte, "in string literal")
        at = _escape(body, at + 1)


def _escape(body: bytes, at: int) -> int:
    byte = _byte(body, at)
    if byte in _ESCAPES:
        return at + 1
    if byte != 0x75:
        raise _unexpected(byte, "in string escape code")
    for offset in range(1, 5):
        if (digit := _byte(body, at + offset)) not in _HEX:
            raise _unexpected(digit, "in \\u hexadecimal character escape")
    return at + 5


def _number(body: bytes, at: int) -> int:
    if body[at] == 0x2D:
        at += 1
        if not 0x30 <= (byte := _byte(body, at)) <= 0x39:
            raise _unexpected(byte, "in numeric literal")
    at = at + 1 if body[at] == 0x30 else _skip(_DIGITS, body, at)
    if body[at : at + 1] == b".":
        at = _some_digits(body, at + 1, "after decimal point in numeric literal")
    if body[at : at + 1] in (b"e", b"E"):
        signed = body[at + 1 : at + 2] in (b"+", b"-")
        at = _some_digits(body, at + 1 + signed, "in exponent of numeric literal")
    return at


def _some_digits(body: bytes, at: int, place: str) -> int:
    if not 0x30 <= (byte := _byte(body, at)) <= 0x39:
        raise _unexpected(byte, place)
    return _skip(_DIGITS, body, at)


def _skip(pattern: re.Pattern[bytes], body: bytes, at: int) -> int:
    match = pattern.match(body, at)
    assert match is not None, "the patterns match the empty text"
    return match.end()


def _byte(body: bytes, at: int) -> int:
    if at >= len(body):
        raise ParameterInvalid("unexpected EOF")
    return body[at]


def _unexpected(byte: int, place: str) -> ParameterInvalid:
    return ParameterInvalid(f"invalid character {_quoted(byte)} {place}")


def _quoted(byte: int) -> str:
    """One byte, read as Latin-1, as a Go character literal."""
    if byte in _GO_ESCAPES:
        return f"'{_GO_ESCAPES[byte]}'"
    if byte < 0x20 or byte == 0x7F:
        return f"'\\x{byte:02x}'"
    if 0x7F < byte <= 0xA0 or byte == 0xAD:
        return f"'\\u{byte:04x}'"
    return f"'{chr(byte)}'"
