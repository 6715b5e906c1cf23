"""The models as Anthropic's API lists them, a page at a time. Pure.

Source: Anthropic's Models API reference.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.gateway.timestamps import rfc3339
from shared.errors import ParameterInvalid
from shared.model_index import ModelEntry

PAGE_MAX: Final = 1000
PAGE_DEFAULT: Final = 20


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """At most `limit` models: those after the one with the id `after_id`, or those right before `before_id`."""

    limit: int = PAGE_DEFAULT
    after_id: str = ""
    before_id: str = ""


def read_page(query: Mapping[str, str]) -> Page:
    """Raises: ParameterInvalid."""
    text = query.get("limit") or str(PAGE_DEFAULT)
    is_short = len(text) <= len(str(PAGE_MAX))
    if not is_short or not text.isdecimal() or not text.isascii() or not 1 <= int(text) <= PAGE_MAX:
        raise ParameterInvalid(f"limit must be a number from 1 to {PAGE_MAX}")
    return Page(limit=int(text), after_id=query.get("after_id") or "", before_id=query.get("before_id") or "")


def model_page(entries: Sequence[ModelEntry], page: Page) -> dict[str, object]:
    """One page of `entries`. An id that does not exist (any more) cuts nothing off."""
    ids = [entry.name.short for entry in entries]
    begin = ids.index(page.after_id) + 1 if page.after_id in ids else 0
    end = ids.index(page.before_id) if page.before_id in ids else len(ids)
    there = range(begin, max(begin, end))
    shown = there[-page.limit :] if page.before_id and not page.after_id else there[: page.limit]
    return {
        "data": [model_object(ids[index], entries[index]) for index in shown],
        "first_id": ids[shown[0]] if shown else None,
        "last_id": ids[shown[-1]] if shown else None,
        "has_more": len(shown) < len(there),
    }


def model_object(model_id: str, entry: ModelEntry) -> dict[str, object]:
    return {
        "type": "model",
        "id": model_id,
        "display_name": entry.name.short,
        "created_at": rfc3339(entry.modified_unix_ms),
    }
