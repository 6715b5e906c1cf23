"""What a parser reads of a request body, watched field by field, and what a declared body has, written the same way.

A place is written `messages[].content[].text`. How a field is read is the name of the `GoFields` method, or `anything`
where a parser takes the value out of a mapping by itself. How it is declared is one of `SHAPES`.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import pytest
from msgspec import inspect

from shared import go_json
from shared.go_json import GoFields

Reads = dict[str, set[str]]

SHAPES: Final = {
    "text": {"text"},
    "flag": {"flag"},
    "integer": {"integer"},
    "real": {"real"},
    "mapping": {"object", "object of texts"},
    "text_mapping": {"object of texts"},
    "items": {"list", "list of texts", "list of objects"},
    "texts": {"list of texts"},
    "objects": {"list of objects"},
}
"""How a field may be declared that is read in this way."""


class Declared(msgspec.Struct, frozen=True):
    shapes: frozenset[str]
    reasons: frozenset[str] = frozenset()
    """Why it has no effect, where it has none."""

    is_refused: bool = False

    @property
    def has_effect(self) -> bool:
        return not self.reasons


class _Watched(dict[str, Any]):
    """An object of a body, which tells who looks at its members."""

    def __init__(self, values: Mapping[str, object], place: str, reads: Reads) -> None:
        super().__init__({name: _watched(value, _below(place, name), reads) for name, value in values.items()})
        self.place = place
        self._reads = reads

    def note(self, name: object, how: str) -> None:
        self._reads[_below(self.place, str(name))].add(how)

    def get(self, name: str, default: Any = None) -> Any:
        self.note(name, "anything")
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.note(name, "anything")
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.note(name, "anything")
        return super().__contains__(name)


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _watched(value: object, place: str, reads: Reads) -> object:
    match value:
        case dict():
            return _Watched(value, place, reads)
        case list():
            return [_watched(item, f"{place}[]", reads) for item in value]
    return value


def reads_of(parse: Callable[[bytes], object], bodies: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Every place the parser looks at while it reads these bodies, and how."""
    reads: Reads = defaultdict(set)
    decode, begin = go_json._decode, GoFields.__init__
    within: list[str] = []

    def watching(fields: GoFields, struct: str, values: Mapping[str, object]) -> None:
        begin(fields, struct, values)
        fields.source = values  # type: ignore[attr-defined]

    def noting(how: str, read: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(read)
        def noted(fields: Any, name: str, *arguments: object) -> object:
            # Some methods are made of others; what counts is what the parser called.
            if not within and isinstance(fields.source, _Watched):
                fields.source.note(name, how)
            within.append(how)
            try:
                return read(fields, name, *arguments)
            finally:
                within.pop()

        return noted

    with monkeypatch.context() as patched:
        patched.setattr(go_json, "_decode", lambda body: _watched(decode(body), "", reads))
        patched.setattr(GoFields, "__init__", watching)
        for how in ("anything", *SHAPES):
            patched.setattr(GoFields, how, noting(how, getattr(GoFields, how)))
        for body in bodies:
            parse(msgspec.json.encode(body))
    return dict(reads)


def declared_fields(body: type) -> dict[str, Declared]:
    """Every place that a declared body has."""
    found: dict[str, list[Declared]] = defaultdict(list)
    for place, declared in _fields_of(inspect.type_info(body), ""):
        found[place].append(declared)
    return {
        place: Declared(
            shapes=frozenset().union(*(one.shapes for one in several)),
            reasons=reasons_of(several),
            is_refused=all(one.is_refused for one in several),
        )
        for place, several in found.items()
    }


def reasons_of(several: Sequence[Declared]) -> frozenset[str]:
    """Why a place of several bodies has no effect: not at all where it has one in any of them."""
    if any(one.has_effect for one in several):
        return frozenset()
    return frozenset().union(*(one.reasons for one in several))


def _fields_of(declared: inspect.Type, place: str) -> Iterator[tuple[str, Declared]]:
    match declared:
        case inspect.Metadata():
            yield from _fields_of(declared.type, place)
        case inspect.UnionType():
            for one in declared.types:
                yield from _fields_of(one, place)
        case inspect.ListType():
            yield from _fields_of(declared.item_type, f"{place}[]")
        case inspect.StructType():
            if declared.tag_field is not None:
                yield _below(place, declared.tag_field), Declared(frozenset({"text"}))
            for field in declared.fields:
                below = _below(place, field.encode_name)
                yield below, _declared(field.type)
                yield from _fields_of(field.type, below)


def _declared(declared: inspect.Type) -> Declared:
    marks = (declared.extra or {}) if isinstance(declared, inspect.Metadata) else {}
    reasons = frozenset({marks["no_effect"]} if "no_effect" in marks else ())
    return Declared(frozenset(_shapes(declared)), reasons, is_refused="refused" in marks)


def _shapes(declared: inspect.Type) -> Iterator[str]:
    match declared:
        case inspect.Metadata():
            yield from _shapes(declared.type)
        case inspect.UnionType():
            for one in declared.types:
                yield from _shapes(one)
        case inspect.StrType() | inspect.LiteralType():
            yield "text"
        case inspect.BoolType():
            yield "flag"
        case inspect.IntType():
            yield "integer"
        case inspect.FloatType():
            yield "real"
        case inspect.StructType():
            yield "object"
        case inspect.DictType():
            yield "object of texts" if set(_shapes(declared.value_type)) == {"text"} else "object"
        case inspect.ListType():
            items = set(_shapes(declared.item_type))
            yield {"text": "list of texts", "object": "list of objects"}.get("/".join(items), "list")


def differences(reads: Reads, declared: Mapping[str, Declared], *, opaque: frozenset[str] = frozenset()) -> list[str]:
    """Where reading and declaration differ, one line a place. What is below `opaque` places is read elsewhere."""

    def is_opaque(place: str) -> bool:
        return any(place.startswith(f"{one}.") for one in opaque)

    lines = [f"{place}: read, but not declared" for place in reads.keys() - declared.keys() if not is_opaque(place)]
    for place, one in declared.items():
        if place not in reads:
            if one.has_effect and not is_opaque(place):
                lines.append(f"{place}: declared, but never read")
            continue
        ways = reads[place] - {"anything"}
        lines += [
            f"{place}: read as {how}, but declared as {' or '.join(sorted(one.shapes))}"
            for how in sorted(ways)
            # A value that is looked at first may be read in several ways, else it must be what it is read as.
            if not (one.shapes & SHAPES[how] if "anything" in reads[place] else one.shapes <= SHAPES[how])
        ]
    return sorted(lines)
