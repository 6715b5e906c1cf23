"""What references stand for, and what they weigh."""

import msgspec
import pytest

from services.gateway.dialects.responses_ids import check_size, resolved
from services.gateway.dialects.responses_items import MessageItem, Reference, TextPart
from shared.errors import TooLarge

SAID = MessageItem(item_id="msg_1", role="user", parts=(TextPart("a" * 100),))


def test_what_is_referred_to_weighs_as_often_as_it_is() -> None:
    items = resolved([Reference(item_id="msg_1")] * 3, [SAID])
    assert items == (SAID, SAID, SAID)
    size_bytes = 3 * len(msgspec.msgpack.encode(SAID))
    check_size(items, bytes_max=size_bytes)
    with pytest.raises(TooLarge, match=f"more than the {size_bytes - 1} bytes"):
        check_size(items, bytes_max=size_bytes - 1)
