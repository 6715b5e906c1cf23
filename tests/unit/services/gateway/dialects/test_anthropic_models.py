"""Pages of models as Anthropic's API gives them."""

import pytest

from fakes.model_entries import model_entry
from services.gateway.dialects.anthropic_models import model_page, read_page
from shared.errors import ParameterInvalid

ENTRIES = [model_entry(name) for name in ("a", "b", "c", "d")]


@pytest.mark.parametrize(
    ("query", "names", "has_more"),
    [
        ({}, "abcd", False),
        ({"limit": "2"}, "ab", True),
        ({"limit": "2", "after_id": "b:latest"}, "cd", False),
        ({"limit": "1", "after_id": "b:latest"}, "c", True),
        ({"limit": "2", "before_id": "d:latest"}, "bc", True),
        ({"before_id": "a:latest"}, "", False),
        ({"after_id": "gone"}, "abcd", False),
    ],
)
def test_a_page_holds_what_its_query_asks_for(query: dict[str, str], names: str, has_more: bool) -> None:
    page = model_page(ENTRIES, read_page(query))
    ids = [f"{name}:latest" for name in names]
    data = page["data"]
    assert isinstance(data, list)
    assert [model["id"] for model in data] == ids
    assert (page["first_id"], page["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    assert page["has_more"] is has_more


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", "9" * 5000, "0000000001" + "9" * 5000])
def test_a_page_has_a_sensible_size(limit: str) -> None:
    with pytest.raises(ParameterInvalid, match="limit must be"):
        read_page({"limit": limit})
