"""Numbers as Go template source writes them. A character literal counts as its code.

Source: Go `text/template/parse/node.go`, newNumber; `strconv`.
"""

import math
import re
from typing import Final

from shared.go_template.quoting import quoted, unquoted_character

_INT64: Final = range(-(2**63), 2**63)
_LEGACY_OCTAL: Final = re.compile(r"([+-]?)0([0-7_]+)")
_HEX_FLOAT: Final = re.compile(r"[+-]?0[xX]_?[0-9a-fA-F][0-9a-fA-F_]*(\.[0-9a-fA-F_]*)?[pP][+-]?[0-9_]+")


class NumberInvalid(ValueError):
    """Says what is wrong with a literal, in Go's words."""


def number_of(literal: str) -> int | float:
    """Raises: NumberInvalid."""
    if literal[0] == "'":
        code = unquoted_character(literal)
        if code is None:
            raise NumberInvalid(f"malformed character constant: {literal}")
        return code
    if literal.endswith("i") and not literal.lower().startswith(("0x", "+0x", "-0x")):
        raise NumberInvalid(f"complex numbers are not supported: {quoted(literal)}")
    number = _integer(literal)
    if number is not None:
        if number not in _INT64:
            raise NumberInvalid(f"integer overflow: {quoted(literal)}")
        return number
    real = _real(literal)
    if real is not None and not set(literal) & set(".eEpP"):
        raise NumberInvalid(f"integer overflow: {quoted(literal)}")
    if real is None or not math.isfinite(real):
        raise NumberInvalid(f"illegal number syntax: {quoted(literal)}")
    return real


def _integer(literal: str) -> int | None:
    octal = _LEGACY_OCTAL.fullmatch(literal)
    try:
        return int(octal[1] + octal[2].lstrip("_"), 8) if octal else int(literal, 0)
    except ValueError:
        return None


def _real(literal: str) -> float | None:
    try:
        if _HEX_FLOAT.fullmatch(literal):
            return float.fromhex(literal.replace("_", ""))
        return float(literal)
    except (ValueError, OverflowError):
        return None
