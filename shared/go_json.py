"""Request bodies read the way Go's encoding/json reads them, down to the text of its errors.

    fields = GoFields("ChatRequest", decode_object(body, go_type="api.ChatRequest"))
    model = fields.text("model")                    # "" when absent or null
    stream = fields.flag("stream")                  # None when absent or null
    messages = fields.items("messages", "[]api.Message")

`decode_object` reads the first JSON value and ignores what follows it; invalid UTF-8 and lone surrogates become
U+FFFD. `GoFields` matches keys whatever their letter case (of several the last wins), takes null for unset, ignores
unknown keys, and raises `ParameterInvalid` with Go's words for a value of the wrong type. A body with several faults
reports the one that is read first. What fields a request has is its reader's business.
"""

import codecs
import json
import math
import re
from collections.abc import Mapping
from typing import Final

from shared.errors import ParameterInvalid
from shared.go_syntax import NESTING_MAX, value_span

_INT64_MAX: Final = 2**63 - 1
_UINT64_MAX: Final = 2**64 - 1
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FLOAT_DIGITS_MAX: Final = 308
_GO_KINDS: Final = {bool: "bool", str: "string", int: "number", float: "number", list: "array", dict: "object"}


def _replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError), "registered for decoding only"
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("corral-go", _replace_each_byte)


def _number_too_large(text: str) -> ParameterInvalid:
    return ParameterInvalid(f"json: cannot unmarshal number {text} into Go value of type float64")


def _integer(text: str) -> int | float:
    """A whole number; beyond 64 bits, which no message between processes can hold, Go's float64."""
    if len(text) > _FLOAT_DIGITS_MAX:
        raise _number_too_large(text)
    value = int(text)
    return value if -_INT64_MAX - 1 <= value <= _UINT64_MAX else float(value)


def _real(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _number_too_large(text)
    return value


def _not_json(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_real, parse_constant=_not_json)


def decode_object(body: bytes, *, go_type: str = "api.Request") -> dict[str, object]:
    """The object a body holds; `null` gives an empty one. `go_type` is only named in the error for other values.

    Raises: ParameterInvalid: `missing request body` for a blank body, else Go's text.
    """
    value = _decode(body)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ParameterInvalid(f"json: cannot unmarshal {go_kind(value)} into Go value of type {go_type}")
    return value


def _decode(body: bytes) -> object:
    # Only bodies with very many brackets can be nested too deeply for the decoder below.
    if body.count(b"{") + body.count(b"[") > NESTING_MAX:
        value_span(body)
    try:
        value, _ = _DECODER.raw_decode(body.decode("utf-8", "corral-go").lstrip(" \t\r\n"))
    except ValueError:
        start, end = value_span(body)
        raise AssertionError(f"two JSON grammars disagree about bytes {start} to {end}") from None
    if not isinstance(value, dict):
        # Outside brackets Python stops before a broken number's tail (`0E`), where Go refuses it.
        value_span(body)
    return _without_surrogates(value) if _SURROGATE_ESCAPE.search(body) else value


def _without_surrogates(value: object) -> object:
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_SURROGATE.sub("\ufffd", key): _without_surrogates(item) for key, item in value.items()}
    return value


def go_kind(value: object) -> str:
    """What Go calls the JSON type of a decoded value."""
    return "null" if value is None else _GO_KINDS[type(value)]


class GoFields:
    """Typed access to one object's fields. `struct` is the Go type's bare name, as errors tell it."""

    def __init__(self, struct: str, values: Mapping[str, object]) -> None:
        self._struct = struct
        self._values = {key.lower(): value for key, value in values.items() if value is not None}

    def anything(self, name: str) -> object:
        """The value as it is; None when unset."""
        return self._values.get(name)

    def text(self, name: str) -> str:
        """A string; empty when unset."""
        match value := self._values.get(name):
            case None:
                return ""
            case str():
                return value
        raise self._wrong(name, value, "string")

    def flag(self, name: str) -> bool | None:
        match value := self._values.get(name):
            case None | bool():
                return value
        raise self._wrong(name, value, "bool")

    def integer(self, name: str) -> int | None:
        """A Go int: whole, written without a fraction, within 64 bits."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and -_INT64_MAX - 1 <= value <= _INT64_MAX:
            return value
        raise self._wrong(name, value, "int", quote_number=True)

    def real(self, name: str) -> float | None:
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise self._wrong(name, value, "float64")

    def mapping(self, name: str, go_type: str = "map[string]interface {}") -> dict[str, object] | None:
        """An object with any values."""
        match value := self._values.get(name):
            case None:
                return None
            case dict():
                return value
        raise self._wrong(name, value, go_type)

    def text_mapping(self, name: str) -> dict[str, str] | None:
        """An object whose values are strings; a null value counts as an empty one."""
        values = self.mapping(name, "map[string]string")
        return None if values is None else {key: self._item_text(name, item) for key, item in values.items()}

    def items(self, name: str, go_type: str = "[]interface {}") -> list[object] | None:
        """An array of anything."""
        match value := self._values.get(name):
            case None:
                return None
            case list():
                return value
        raise self._wrong(name, value, go_type)

    def texts(self, name: str) -> list[str] | None:
        """An array of strings; a null item counts as an empty one."""
        values = self.items(name, "[]string")
        return None if values is None else [self._item_text(name, item) for item in values]

    def objects(self, name: str, item_go_type: str) -> list[dict[str, object]] | None:
        """An array of objects, to be read by a `GoFields` of their own; a null item counts as an empty one."""
        values = self.items(name, f"[]{item_go_type}")
        return None if values is None else [self._item_object(name, item, item_go_type) for item in values]

    def _item_text(self, name: str, item: object) -> str:
        if isinstance(item, str):
            return item
        if item is None:
            return ""
        raise self._wrong(name, item, "string")

    def _item_object(self, name: str, item: object, go_type: str) -> dict[str, object]:
        if isinstance(item, dict):
            return item
        if item is None:
            return {}
        raise self._wrong(name, item, go_type)

    def _wrong(self, name: str, value: object, go_type: str, *, quote_number: bool = False) -> ParameterInvalid:
        kind = go_kind(value)
        if quote_number and kind == "number":
            kind = f"number {value}"
        return ParameterInvalid(
            f"json: cannot unmarshal {kind} into Go struct field {self._struct}.{name} of type {go_type}"
        )
