"""Listing a response's input, and the ids of its items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dialects.responses_ids import is_response_id, origins, resolved, response_id_of, with_ids
from services.gateway.dialects.responses_items import Item, MessageItem, read_input
from services.gateway.dialects.responses_list import ITEMS_MAX, Page, item_list, read_page
from shared.errors import ParameterInvalid

REQUEST = "0123456789abcdef" * 2


def numbered(count: int) -> list[Item]:
    return [MessageItem(item_id=str(number), role="user", parts=()) for number in range(count)]


@given(st.integers(0, 12), st.integers(1, 5), st.booleans())
def test_pages_give_every_item_once_and_in_order(count: int, page_count: int, newest_first: bool) -> None:
    items, seen, after = numbered(count), list[str](), ""
    for _ in range(count + 1):
        page = item_list(items, Page(newest_first=newest_first, count=page_count, after=after))
        data = page["data"]
        assert isinstance(data, list)
        seen += [item["id"] for item in data]
        after = str(page["last_id"])
        if not page["has_more"]:
            break
        assert page["last_id"] == data[-1]["id"]
        assert len(data) == page_count
    expected = [item.item_id for item in items]
    assert seen == (expected[::-1] if newest_first else expected)


def test_a_page_is_what_its_query_says() -> None:
    assert read_page({}) == Page(newest_first=True, count=20)
    assert read_page({"order": "asc", "limit": "100", "after": "x"}) == Page(newest_first=False, count=100, after="x")


@pytest.mark.parametrize("query", [{"order": "up"}, *({"limit": text} for text in ("0", "101", "-1", "", "9" * 9999))])
def test_a_bad_query_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ParameterInvalid, match=rf"invalid order|limit must be between 1 and {ITEMS_MAX}"):
        read_page(query)


def test_nothing_comes_after_an_item_that_is_not_there() -> None:
    with pytest.raises(ParameterInvalid, match=r"Item with id 'x' not found\."):
        item_list(numbered(2), Page(after="x"))


def test_items_without_an_id_get_one_that_tells_where_they_are_from() -> None:
    items = with_ids(
        read_input([{"role": "user", "content": "a"}, {"role": "user", "content": "b", "id": "mine"}]), REQUEST
    )
    assert [item.item_id for item in items] == [f"msg_{REQUEST}_in0", "mine"]
    references = read_input([{"type": "item_reference", "id": item.item_id} for item in (*items, items[0])])
    assert origins(references) == (response_id_of(REQUEST),)
    assert resolved(references, items) == (*items, items[0])
    assert resolved(references, []) == references


def test_only_ids_of_this_server_are_looked_for() -> None:
    assert is_response_id(response_id_of(REQUEST))
    for text in ("", "resp_1", f"resp_{REQUEST}:x", f"resp_{REQUEST}\n", f"x:resp_{REQUEST}"):
        assert not is_response_id(text)
