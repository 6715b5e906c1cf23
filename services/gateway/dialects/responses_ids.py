"""Ids of responses and of their items. Pure.

An id that this server gives tells the request it comes from, so that an item can be found by its id alone:
`resp_REQUEST`, `msg_REQUEST_0` in its output, `msg_REQUEST_in0` in its input.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from services.gateway.dialects.responses_items import CallItem, Item, MessageItem, ReasoningItem, Reference, ResultItem
from shared.errors import TooLarge

_RESPONSE_ID: Final = re.compile(r"resp_[0-9a-f]{32}")
_ITEM_ID: Final = re.compile(r"[a-z]+_([0-9a-f]{32})_(?:in)?[0-9]+")
_PREFIXES: Final[dict[type[Item], str]] = {
    MessageItem: "msg",
    CallItem: "fc",
    ResultItem: "fco",
    ReasoningItem: "rs",
    Reference: "ref",
}


def response_id_of(request_id: str) -> str:
    return f"resp_{request_id}"


def is_response_id(text: str) -> bool:
    """Whether it may be an id that this server gave."""
    return _RESPONSE_ID.fullmatch(text) is not None


def with_ids(items: Iterable[Item], request_id: str) -> tuple[Item, ...]:
    """The items of a request's input; those that came without an id have one now."""
    return tuple(
        item
        if item.item_id
        else msgspec.structs.replace(item, item_id=f"{_PREFIXES[type(item)]}_{request_id}_in{index}")
        for index, item in enumerate(items)
    )


def origins(items: Iterable[Item]) -> tuple[str, ...]:
    """The ids of the responses whose items are referred to, each once."""
    matches = (_ITEM_ID.fullmatch(item.item_id) for item in items if isinstance(item, Reference))
    return tuple(dict.fromkeys(response_id_of(match[1]) for match in matches if match))


def resolved(items: Iterable[Item], known: Iterable[Item]) -> tuple[Item, ...]:
    """The items with references replaced by what they refer to; those to nothing known stay."""
    by_id = {item.item_id: item for item in known}
    return tuple(by_id.get(item.item_id, item) if isinstance(item, Reference) else item for item in items)


def check_size(items: Iterable[Item], *, bytes_max: int) -> None:
    """For all that a conversation holds; what is referred to counts as often as it is.

    Raises: TooLarge.
    """
    size_bytes = 0
    for item in items:
        size_bytes += len(msgspec.msgpack.encode(item))
        if size_bytes > bytes_max:
            raise TooLarge(f"this conversation has more than the {bytes_max} bytes that are accepted")
