"""How one value looks under a `printf` verb, with flags, width and precision.

Left out: binary and hexadecimal floats, pointers, and `#` for floats.
Source: Go `fmt/format.go`, `fmt/print.go`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from shared.errors import TemplateFailed
from shared.go_template.quoting import character_of, quoted, quoted_character, to_bytes
from shared.go_template.values import (
    NESTING_MAX,
    JsonList,
    JsonMap,
    Struct,
    TypeNames,
    float_text,
    text_of,
    type_name,
)

_BASES: Final = {"b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_NAMED: Final = "named"
_PREFIXES: Final = {"b": "0b", "x": "0x", "X": "0X"}


@dataclass(frozen=True, slots=True)
class Spec:
    """`%`, flags, width, precision and verb."""

    verb: str
    flags: frozenset[str] = frozenset()
    width: int | None = None
    precision: int | None = None


def formatted(spec: Spec, value: object, depth: int = 0) -> str:
    """The value under the verb, or Go's words for a verb that does not fit it.

    Raises: TemplateFailed for a value that is nested too deeply.
    """
    if depth > NESTING_MAX:
        raise TemplateFailed("a value is nested too deeply to be printed")
    if spec.verb == "T":
        return _padded(replace(spec, verb="s"), type_name(value))
    if spec.verb == "v" and "#" in spec.flags:
        return "<nil>" if value is None else _go_syntax(value, depth)
    if spec.verb == "v" and "+" in spec.flags:  # with v it asks for the names of fields, and for no sign
        spec = replace(spec, flags=(spec.flags - {"+"}) | {_NAMED})
    if value is None:
        return _padded(spec, "<nil>") if spec.verb == "v" or depth else f"%!{spec.verb}(<nil>)"
    if _has_text(value) and spec.verb in "vsxXq":
        return _string(spec, text_of(value)) or ""
    items = _items(spec, value, depth)
    if items is not None:
        return items
    text = _scalar(spec, value)
    return f"%!{spec.verb}({typed(value, replace(spec, verb='v'))})" if text is None else text


def typed(value: object, spec: Spec | None = None) -> str:
    """A value with its type, as complaints tell it."""
    return "<nil>" if value is None else f"{type_name(value)}={formatted(spec or Spec('v'), value)}"


def _has_text(value: object) -> bool:
    """Whether the value has words of its own, as a Go Stringer."""
    return isinstance(value, JsonList | JsonMap | TypeNames) or (isinstance(value, Struct) and value.prints_json)


def _items(spec: Spec, value: object, depth: int) -> str | None:
    """A list, map or struct with the verb applied to each item; None for anything else."""

    def each(values: Iterable[object]) -> list[str]:
        return [formatted(spec, item, depth + 1) for item in values]

    match value:
        case list() | tuple():
            return f"[{' '.join(each(value))}]"
        case dict():
            keys = sorted(value)
            pairs = zip(each(keys), each(value[key] for key in keys), strict=True)
            return f"map[{' '.join(f'{key}:{item}' for key, item in pairs)}]"
        case Struct(fields=fields):
            names = [f"{name}:" if _NAMED in spec.flags else "" for name in fields]
            pairs = zip(names, each(fields.values()), strict=True)
            return "{" + " ".join(name + item for name, item in pairs) + "}"
    return None


def _scalar(spec: Spec, value: object) -> str | None:
    match value:
        case bool():
            return _padded(spec, "true" if value else "false") if spec.verb in "tv" else None
        case int():
            return _integer(spec, value)
        case float():
            return _float(spec, value)
        case str():
            return _string(spec, value)
    raise AssertionError(f"a {type(value).__name__} is no template value")


def _string(spec: Spec, text: str) -> str | None:
    cut = text if spec.precision is None else text[: spec.precision]
    match spec.verb:
        case "v" | "s":
            return _padded(spec, cut)
        case "q":
            is_raw = "#" in spec.flags and all(_may_be_raw(character) for character in cut)
            return _padded(spec, f"`{cut}`" if is_raw else quoted(cut, ascii_only="+" in spec.flags))
        case "x" | "X":
            return _padded(spec, _hexadecimal(spec, to_bytes(text)[: spec.precision]))
    return None


def _may_be_raw(character: str) -> bool:
    """Source: Go `strconv.CanBackquote`."""
    return character == "\t" or (
        ord(character) >= 0x20 and character not in "`\x7f\ufeff" and not 0xD800 <= ord(character) < 0xE000
    )


def _hexadecimal(spec: Spec, content: bytes) -> str:
    prefix = f"0{spec.verb}" if "#" in spec.flags else ""
    if not content:
        return ""
    digits = content.hex(" ") if " " in spec.flags else content.hex()
    if spec.verb == "X":
        digits = digits.upper()
    return prefix + digits.replace(" ", " " + prefix)


def _integer(spec: Spec, value: int) -> str | None:
    match spec.verb:
        case "v" | "d":
            return _digits(spec, value, str(abs(value)), "")
        case "b" | "o" | "O" | "x" | "X":
            digits = format(abs(value), _BASES[spec.verb])
            prefix = "0o" if spec.verb == "O" else _PREFIXES.get(spec.verb, "") if "#" in spec.flags else ""
            if spec.verb == "o" and "#" in spec.flags and not digits.startswith("0"):
                digits = "0" + digits
            return _digits(spec, value, digits, prefix)
        case "c":
            return _padded(spec, character_of(value))
        case "q" if 0 <= value < 0x110000:
            return _padded(spec, quoted_character(value, ascii_only="+" in spec.flags))
        case "U":
            return _code_point(spec, value)
    return None


def _digits(spec: Spec, value: int, digits: str, prefix: str) -> str:
    """Sign, prefix and digits, of which there are at least as many as the precision says."""
    sign = _sign(spec, is_negative=value < 0)
    wanted = spec.precision or 0
    if spec.precision == 0 and value == 0:
        return " " * (spec.width or 0)
    if spec.precision is None and "0" in spec.flags and spec.width:
        wanted = spec.width - len(sign)
    return _padded(_without_zeros(spec), sign + prefix + digits.zfill(wanted))


def _code_point(spec: Spec, value: int) -> str:
    text = f"U+{value & 0xFFFF_FFFF_FFFF_FFFF:0{max(4, spec.precision or 0)}X}"
    if "#" in spec.flags and 0 <= value < 0x110000 and character_of(value).isprintable():
        text += f" '{chr(value)}'"
    return _padded(_without_zeros(spec), text)


def _float(spec: Spec, value: float) -> str | None:
    if spec.verb not in "vgGeEfF":
        return None
    sign = _sign(spec, is_negative=math.copysign(1, value) < 0)
    size = abs(value)
    if not math.isfinite(size):
        is_number = not math.isnan(size)
        shown = "+" if is_number and not sign else sign if is_number or spec.flags & {"+", " "} else ""
        return _padded(_without_zeros(spec), shown + ("Inf" if is_number else "NaN"))
    if spec.verb in "vgG" and spec.precision is None:
        digits = float_text(size)
    else:
        precision = 6 if spec.precision is None else spec.precision
        digits = format(size, f".{precision}{spec.verb.lower().replace('v', 'g')}")
    if spec.verb in "GE":
        digits = digits.upper()
    if "0" in spec.flags and spec.width:
        digits = digits.zfill(spec.width - len(sign))
    return _padded(_without_zeros(spec), sign + digits)


def _sign(spec: Spec, *, is_negative: bool) -> str:
    return "-" if is_negative else "+" if "+" in spec.flags else " " if " " in spec.flags else ""


def _without_zeros(spec: Spec) -> Spec:
    return replace(spec, flags=spec.flags - {"0"})


def _padded(spec: Spec, text: str) -> str:
    """Units: the width counts characters."""
    if "-" in spec.flags:
        return text.ljust(spec.width or 0)
    return text.rjust(spec.width or 0, "0" if "0" in spec.flags else " ")


def _go_syntax(value: object, depth: int) -> str:
    """The value as Go source text."""
    if depth > NESTING_MAX:
        raise TemplateFailed("a value is nested too deeply to be printed")

    def inner(item: object) -> str:
        return _go_syntax(item, depth + 1)

    match value:
        case None:
            return "interface {}(nil)"
        case str():
            return quoted(value)
        case Struct(fields=fields):
            return _braced(value, (f"{name}:{inner(item)}" for name, item in fields.items()))
        case dict():
            return _braced(value, (f"{quoted(key)}:{inner(value[key])}" for key in sorted(value)))
        case list() | tuple():
            return _braced(value, map(inner, value))
    return text_of(value)


def _braced(value: object, items: Iterable[str]) -> str:
    return f"{type_name(value)}{{{', '.join(items)}}}"
