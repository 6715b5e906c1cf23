"""Go's duration texts (`1h30m`, `300ms`), as clients write keep-alives. Nothing else of Go.

Source: Go `time.ParseDuration`.
"""

import re
from typing import Final

from shared.errors import ParameterInvalid

_UNIT_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_NS_MAX: Final = (1 << 63) - 1
DURATION_S_MAX: Final = _NS_MAX // 1_000_000_000
"""Go's longest duration, 292 years; how far ahead Ollama puts what never expires."""
_DIGITS_MAX: Final = len(str(_NS_MAX))
_TERM = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]*)")


def _quoted(text: str) -> str:
    """Go's quotes: backslash, quote, control and non-ASCII bytes escaped (Go `time.quote`)."""
    shown: list[str] = []
    for char in text:
        if char in '"\\':
            shown.append("\\" + char)
        elif " " <= char <= "\x7f":
            shown.append(char)
        else:
            shown.extend(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    return '"' + "".join(shown) + '"'


def _invalid(text: str) -> ParameterInvalid:
    return ParameterInvalid(f"time: invalid duration {_quoted(text)}")


def parse_duration_ns(text: str) -> int:
    """Nanoseconds of a Go duration, negative ones included.

    Raises: ParameterInvalid with Go's words.
    """
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    if not rest:
        raise _invalid(text)
    total_ns = 0
    while rest:
        term = _TERM.match(rest)
        assert term is not None, "the pattern matches every text"
        total_ns += _term_ns(text, term)
        if total_ns > _NS_MAX + negative:
            raise _invalid(text)
        rest = rest[term.end() :]
    return -total_ns if negative else total_ns


def _term_ns(text: str, term: re.Match[str]) -> int:
    whole, fraction, unit = term.groups()
    if not whole and not fraction:
        raise _invalid(text)
    if not unit:
        raise ParameterInvalid(f"time: missing unit in duration {_quoted(text)}")
    unit_ns = _UNIT_NS.get(unit)
    if unit_ns is None:
        raise ParameterInvalid(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
    whole = whole.lstrip("0")
    if len(whole) > _DIGITS_MAX:
        raise _invalid(text)
    value_ns = int(whole or "0") * unit_ns
    fraction = (fraction or "")[:_DIGITS_MAX]
    if fraction:
        value_ns += int(fraction) * unit_ns // 10 ** len(fraction)
    return value_ns
