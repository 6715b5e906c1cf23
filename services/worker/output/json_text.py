"""JSON that a model wrote, checked and made compact, its members in order and its numbers as they were. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from services.worker.output.tools import Unreadable

NESTING_MAX: Final = 100
"""Levels of lists and objects; whoever reads the arguments next may have a smaller stack than this process."""


def compact(text: str | msgspec.Raw) -> str:
    """Raises: msgspec.DecodeError, Unreadable, RecursionError."""
    _check_nesting(msgspec.json.decode(text), NESTING_MAX)
    formatted = msgspec.json.format(text if isinstance(text, str) else bytes(text), indent=-1)
    return formatted if isinstance(formatted, str) else formatted.decode()


def members(text: str | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The members of an object, unread. Raises: msgspec.DecodeError when it is none, RecursionError."""
    return msgspec.json.decode(text, type=dict[str, msgspec.Raw])


def object_text(text: str | msgspec.Raw) -> str:
    """A compact object; one within a string counts, and null is an empty one.

    Raises: msgspec.DecodeError, Unreadable, RecursionError.
    """
    value = msgspec.json.decode(text)
    if isinstance(value, str):
        text, value = value, msgspec.json.decode(value)
    if value is None:
        return "{}"
    if not isinstance(value, dict):
        raise Unreadable("the arguments are no JSON object")
    return compact(text)


def string_text(text: str) -> str:
    """`text` as a JSON string. Raises: UnicodeEncodeError."""
    return msgspec.json.encode(text).decode()


def joined_object(values: Iterable[tuple[str, str]]) -> str:
    """An object of members whose values are JSON already; of several with one name the last counts."""
    return "{" + ",".join(f"{string_text(key)}:{value}" for key, value in dict(values).items()) + "}"


def _check_nesting(value: object, levels: int) -> None:
    if levels < 0:
        raise Unreadable("the arguments are nested too deeply")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        _check_nesting(item, levels - 1)
