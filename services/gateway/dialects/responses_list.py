"""The input of a response as OpenAI lists it, page by page. Pure.

Source: OpenAI's API reference (Responses, list input items).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.gateway.dialects.responses_items import Item, shown_item
from shared.errors import ParameterInvalid

ITEMS_MAX: Final = 100
_ITEMS_DEFAULT: Final = 20


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which items are wanted: at most `count`, those behind the item `after` if it names one."""

    newest_first: bool = True
    count: int = _ITEMS_DEFAULT
    after: str = ""


def read_page(query: Mapping[str, str]) -> Page:
    """Raises: ParameterInvalid."""
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise ParameterInvalid(f'invalid order: "{order}" (must be "asc" or "desc")')
    limit = query.get("limit", str(_ITEMS_DEFAULT))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= len(str(ITEMS_MAX))):
        raise ParameterInvalid(f"limit must be between 1 and {ITEMS_MAX}")
    if not 1 <= int(limit) <= ITEMS_MAX:
        raise ParameterInvalid(f"limit must be between 1 and {ITEMS_MAX}")
    return Page(newest_first=order == "desc", count=int(limit), after=query.get("after", ""))


def item_list(items: Sequence[Item], page: Page) -> dict[str, object]:
    """Raises: ParameterInvalid when there is no item to come after."""
    ordered = list(reversed(items)) if page.newest_first else list(items)
    begin = _place_after(ordered, page.after) if page.after else 0
    shown = ordered[begin : begin + page.count]
    return {
        "object": "list",
        "data": [shown_item(item) for item in shown],
        "first_id": shown[0].item_id if shown else None,
        "last_id": shown[-1].item_id if shown else None,
        "has_more": begin + page.count < len(ordered),
    }


def _place_after(items: Sequence[Item], item_id: str) -> int:
    for index, item in enumerate(items):
        if item.item_id == item_id:
            return index + 1
    raise ParameterInvalid(f"Item with id '{item_id}' not found.")
