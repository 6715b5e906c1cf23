"""Whatever the items: what is shown of them reads as the same items, and so does what is kept of them."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dialects.responses_items import (
    CallItem,
    ImagePart,
    Item,
    MessageItem,
    ReasoningItem,
    Reference,
    ResultItem,
    TextPart,
    read_input,
    shown_item,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
IDS = st.text("abc_019", max_size=5)
PARTS = st.lists(
    st.builds(TextPart, TEXTS)
    | st.builds(ImagePart, st.binary(min_size=1, max_size=4), st.sampled_from(["image/png", ""])),
    max_size=3,
).map(tuple)
# A result without parts is shown as an empty text, which is one part.
SOME_PARTS = PARTS.filter(bool)
ROLES = st.sampled_from(["user", "assistant", "system", "developer"])
ITEMS: st.SearchStrategy[Item] = st.one_of(
    st.builds(MessageItem, item_id=IDS, role=ROLES, parts=PARTS),
    st.builds(
        CallItem, item_id=IDS, call_id=IDS, name=TEXTS, namespace=TEXTS, arguments=st.sampled_from(["{}", '{"a": [1]}'])
    ),
    st.builds(ResultItem, item_id=IDS, call_id=IDS, parts=SOME_PARTS),
    st.builds(ReasoningItem, item_id=IDS, thinking=TEXTS),
    st.builds(Reference, item_id=IDS),
)


@given(st.lists(ITEMS, max_size=4).map(tuple))
def test_items_that_are_shown_read_as_what_they_were(items: tuple[Item, ...]) -> None:
    shown = json.loads(json.dumps([shown_item(item) for item in items]))
    assert read_input(shown) == items


@given(st.lists(ITEMS, max_size=4).map(tuple))
def test_items_come_back_from_where_they_are_kept(items: tuple[Item, ...]) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(items), type=tuple[Item, ...]) == items
