"""Values printed the way Go prints them, where clients see them: numbers, quoted strings, JSON blobs, times."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from shared.go_template.values import json_of

_PLAIN_DIGITS: Final = 6
_ESCAPES: Final = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def go_number(value: float) -> str:
    """A number decoded from JSON, as `%v`: the shortest digits, in exponent form from a million on.

    Source: Go `strconv/ftoa.go`, format 'g' with shortest precision.
    """
    number = Decimal(repr(float(value))).normalize()
    sign, digits, _ = number.as_tuple()
    exponent = number.adjusted()
    if value == 0:
        return "0"
    if -4 <= exponent < _PLAIN_DIGITS:
        return format(number, "f")
    text = "".join(map(str, digits))
    mantissa = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    return f"{'-' if sign else ''}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def go_quoted(text: str) -> str:
    """A string as `%q`."""
    return '"' + "".join(_ESCAPES.get(character) or _printable(character) for character in text) + '"'


def _printable(character: str) -> str:
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if character.isprintable():
        return character
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def go_json(value: object) -> bytes:
    """JSON as Go's encoder writes it to a file, so that equal content gives the digest Ollama would give it."""
    return json_of(value).encode() + b"\n"


def go_time(unix_ns: int) -> str:
    """RFC 3339 with the server's offset and up to nine digits of fraction."""
    seconds, nanoseconds = divmod(unix_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    offset = moment.strftime("%z")
    zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{zone}"
