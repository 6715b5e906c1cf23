"""Go's string and character literals, written and read. Bytes that are no UTF-8 travel as lone surrogates.

A Go string is bytes. Here it is a `str` in which Python's `surrogateescape` stands for bytes that do not decode, so
that text cut between bytes can be put together again.
Source: Go `strconv/quote.go`.
"""

import re
from typing import Final

_NAMED: Final = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 92: "\\"}
_MEANINGS: Final = {name: code for code, name in _NAMED.items()}
_ESCAPE: Final = re.compile(r"\\(?:([abfnrtv\\\"'])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)


def to_bytes(text: str) -> bytes:
    """The bytes a text stands for."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return whole(text).encode()


def to_text(content: bytes) -> str:
    """The text that stands for these bytes."""
    return content.decode("utf-8", "surrogateescape")


def whole(text: str) -> str:
    """The text with a replacement character for whatever is no UTF-8, as it may leave this program."""
    if not _SURROGATE.search(text):
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)


def quoted(text: str, *, ascii_only: bool = False) -> str:
    """A Go string literal of the text."""
    return '"' + "".join(_escaped(character, '"', ascii_only) for character in text) + '"'


def quoted_character(code: int, *, ascii_only: bool = False) -> str:
    """A Go character literal; a code that is no character becomes the replacement character."""
    return "'" + _escaped(character_of(code), "'", ascii_only) + "'"


def character_of(code: int) -> str:
    """The character of a code, as Go converts numbers to text."""
    is_character = 0 <= code < 0xD800 or 0xE000 <= code < 0x110000
    return chr(code) if is_character else "\ufffd"


def _escaped(character: str, quote: str, ascii_only: bool) -> str:
    code = ord(character)
    if character == quote:
        return "\\" + quote
    if code in _NAMED:
        return "\\" + _NAMED[code]
    if code in _ESCAPED_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if character.isprintable() and not (ascii_only and code >= 0x80):
        return character
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquoted(literal: str) -> str | None:
    """The meaning of a string literal with its quotes; None when its escapes make no sense."""
    inside = literal[1:-1]
    if literal[0] == "`":
        return inside.replace("\r", "")
    parts = _unescaped(inside, '"')
    return None if parts is None else to_text(b"".join(to_bytes(p) if isinstance(p, str) else p for p in parts))


def unquoted_character(literal: str) -> int | None:
    """The code of a character literal with its quotes; None when it is none. `'\\xff'` is 255, no byte of a text."""
    parts = _unescaped(literal[1:-1], "'")
    if parts is None or len(parts) != 1 or len(parts[0]) != 1:
        return None
    part = parts[0]
    return ord(part) if isinstance(part, str) else part[0]


def _unescaped(inside: str, quote: str) -> list[str | bytes] | None:
    """Text as it stands, bytes for `\\x` and octal escapes; None when an escape makes no sense."""
    parts: list[str | bytes] = []
    position = 0
    while position < len(inside):
        start = inside.find("\\", position)
        if start < 0:
            parts.append(inside[position:])
            break
        if start > position:
            parts.append(inside[position:start])
        escape = _ESCAPE.match(inside, start)
        meaning = None if escape is None else _meaning(escape, quote)
        if escape is None or meaning is None:
            return None
        parts.append(meaning)
        position = escape.end()
    return parts


def _meaning(escape: re.Match[str], quote: str) -> str | bytes | None:
    named, octal, byte, short, long = escape.groups()
    if named is not None:
        if named in "\"'":
            return named if named == quote else None
        return chr(_MEANINGS[named])
    if octal is not None or byte is not None:
        number = int(octal, 8) if octal is not None else int(byte, 16)
        return bytes([number]) if number < 256 else None
    code = int(short or long, 16)
    return None if code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code)
