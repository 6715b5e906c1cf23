"""Go's `printf` for templates: the verbs templates use, with Go's own words for wrong ones inside the text."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from services.worker.chat_template.go_values import kind, text_of
from shared.errors import ParameterInvalid

WIDTH_MAX: Final = 10_000
_VERB: Final = re.compile(r"%([-+# 0]*)([0-9]*)(?:\.([0-9]*))?(.?)", re.DOTALL)
_QUOTED: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def sprintf(pattern: str, arguments: Sequence[object]) -> str:
    """Raises: ParameterInvalid for a width beyond reason and for `*` and `[n]`, which are not interpreted."""
    remaining = list(arguments)
    parts: list[str] = []
    position = 0
    for match in _VERB.finditer(pattern):
        parts.append(pattern[position : match.start()])
        parts.append(_formatted(match, remaining))
        position = match.end()
    parts.append(pattern[position:])
    if remaining:
        parts.append("%!(EXTRA " + ", ".join(f"{_type_name(item)}={text_of(item)}" for item in remaining) + ")")
    return "".join(parts)


def _formatted(match: re.Match[str], remaining: list[object]) -> str:
    flags, width, precision, verb = match.groups()
    if verb == "%":
        return "%"
    if not verb:
        return "%!(NOVERB)"
    if verb in "*[" or max(int(width or 0), int(precision or 0)) > WIDTH_MAX:
        raise ParameterInvalid("template: printf: unsupported width or argument index")
    if not remaining:
        return f"%!{verb}(MISSING)"
    value = remaining.pop(0)
    text = _verb_text(verb, value, flags, None if precision is None else int(precision or 0))
    return _padded(text, flags, int(width or 0), is_number=isinstance(value, int | float))


def _verb_text(verb: str, value: object, flags: str, precision: int | None) -> str:
    renderers: dict[str, Callable[[], str | None]] = {
        "v": lambda: _cut(text_of(value), precision) if isinstance(value, str) else text_of(value),
        "s": lambda: _cut(text_of(value), precision) if _prints_as_text(value) else None,
        "q": lambda: quoted(_cut(value, precision)) if isinstance(value, str) else None,
        "t": lambda: text_of(value) if isinstance(value, bool) else None,
        "d": lambda: _signed(str(value), flags) if _is_integer(value) else None,
        "c": lambda: chr(value) if isinstance(value, int) and 0 <= value < 0x110000 else None,
        "x": lambda: _hex(value, "x"),
        "X": lambda: _hex(value, "X"),
        **{letter: lambda: _float(verb, value, precision) for letter in "feEgG"},
    }
    text = renderers[verb]() if verb in renderers else None
    if text is not None:
        return text
    return f"%!{verb}(<nil>)" if value is None else f"%!{verb}({_type_name(value)}={text_of(value)})"


def _prints_as_text(value: object) -> bool:
    """Text, or a container, whose items Go would print one by one."""
    return value is not None and not isinstance(value, bool | int | float)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _float(verb: str, value: object, precision: int | None) -> str | None:
    if not isinstance(value, float):
        return None
    if verb in "gG" and precision is None:
        return text_of(value)
    return f"{value:.{6 if precision is None else precision}{verb}}"


def _hex(value: object, verb: str) -> str | None:
    if isinstance(value, str):
        digits = value.encode(errors="replace").hex()
        return digits if verb == "x" else digits.upper()
    return f"{value:{verb}}" if _is_integer(value) else None


def _cut(text: str, precision: int | None) -> str:
    return text if precision is None else text[:precision]


def _signed(text: str, flags: str) -> str:
    if text.startswith("-"):
        return text
    return ("+" if "+" in flags else " " if " " in flags else "") + text


def _padded(text: str, flags: str, width: int, *, is_number: bool) -> str:
    if "-" in flags:
        return text.ljust(width)
    return text.zfill(width) if "0" in flags and is_number else text.rjust(width)


def _type_name(value: object) -> str:
    return {"list": "[]interface {}", "map": "map[string]interface {}", "nil": "<nil>"}.get(kind(value), kind(value))


def quoted(text: str) -> str:
    """A Go string literal of the text."""
    return '"' + "".join(_quoted_character(character) for character in text) + '"'


def _quoted_character(character: str) -> str:
    if character in _QUOTED:
        return _QUOTED[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
