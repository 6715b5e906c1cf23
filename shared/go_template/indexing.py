"""`index` and `slice` of Go templates.

Source: Go `text/template/funcs.go`.
"""

import itertools

from shared.errors import TemplateFailed
from shared.go_template.quoting import to_bytes, to_text
from shared.go_template.values import type_name


def index(value: object, *indexes: object) -> object:
    """`index x 1 2` is x[1][2]; a key that a map lacks gives nothing. Of a string the item is a byte's number.

    Raises: TemplateFailed.
    """
    if value is None:
        raise TemplateFailed("index of untyped nil")
    for position in indexes:
        value = _item(value, position)
    return value


def _item(value: object, position: object) -> object:
    match value:
        case dict():
            if not isinstance(position, str):
                problem = "value is nil" if position is None else f"value has type {type_name(position)}"
                raise TemplateFailed(f"{problem}; should be string")
            return value.get(position)
        case str():
            content = to_bytes(value)
            return content[_position(position, len(content) - 1)]
        case list() | tuple():
            return value[_position(position, len(value) - 1)]
        case None:
            raise TemplateFailed("index of nil pointer")
    raise TemplateFailed(f"can't index item of type {type_name(value)}")


def slice_of(value: object, *bounds: object) -> object:
    """`slice x 1 2` is x[1:2]; strings are cut between bytes, and a list's third bound says what is left for it.

    Raises: TemplateFailed.
    """
    if value is None:
        raise TemplateFailed("slice of untyped nil")
    if len(bounds) > 3:
        raise TemplateFailed(f"too many slice indexes: {len(bounds)}")
    match value:
        case str() if len(bounds) == 3:
            raise TemplateFailed("cannot 3-index slice a string")
        case str():
            content = to_bytes(value)
            return to_text(content[_range(bounds, len(content))])
        case list() | tuple():
            return type(value)(value[_range(bounds, len(value))])
    raise TemplateFailed(f"can't slice item of type {type_name(value)}")


def _range(bounds: tuple[object, ...], size: int) -> slice:
    """The bounds that are given in their order, from nothing to all where they are not."""
    positions = [_position(bound, size) for bound in bounds]
    for left, right in itertools.pairwise(positions):
        if left > right:
            raise TemplateFailed(f"invalid slice index: {left} > {right}")
    return slice(positions[0] if positions else 0, positions[1] if len(positions) > 1 else size)


def _position(position: object, last: int) -> int:
    if position is None:
        raise TemplateFailed("cannot index slice/array with nil")
    if not isinstance(position, int) or isinstance(position, bool):
        raise TemplateFailed(f"cannot index slice/array with type {type_name(position)}")
    if not 0 <= position <= last:
        raise TemplateFailed(f"index out of range: {position}")
    return position
